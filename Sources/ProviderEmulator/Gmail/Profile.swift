/// `users.getProfile`.
extension GmailCall {
    func profile() -> EmulatorReply {
        let (address, messages, threads, historyID) = box.read { mailbox in
            (mailbox.address, mailbox.order.count, mailbox.threadsTotal, mailbox.historyID)
        }
        return .json(
            MaskedJSON.object(mask) { json in
                json.field("emailAddress", address)
                json.field("messagesTotal", messages)
                json.field("threadsTotal", threads)
                json.field64("historyId", historyID)
            })
    }
}
