import Testing

@testable import ProviderEmulator

/// The mailbox as a value, without HTTP.
@Suite struct MailboxTests {
    private func mail(_ date: Int64, labels: [String] = ["INBOX"], id: UInt64? = nil, refs: [UInt64] = [])
        -> IncomingMail
    {
        IncomingMail(
            content: .kept(Array("A: 1\r\n\r\n".utf8), sizeBytes: 8), internalDate: date, labels: labels,
            messageID: id, references: refs)
    }

    @Test func newLabelsTakeNoAdoptedID() throws {
        var mailbox = Mailbox(address: "a@b", seed: 1)
        for label in MailboxGenerator.userLabels { mailbox.adopt(label) }
        #expect(try mailbox.createLabel("Work").id == "Label_8")
        #expect(Set(mailbox.labels.map(\.id)).count == mailbox.labels.count)
    }

    @Test func loadedMailLeavesNoHistoryAndDeliveredMailDoes() {
        var mailbox = Mailbox(address: "a@b", seed: 1)
        let start = mailbox.historyID
        mailbox.load(mail(1000))
        #expect(mailbox.history.isEmpty)
        #expect(mailbox.historyFloor == mailbox.historyID && mailbox.historyID > start)
        let message = mailbox.deliver(mail(1001))
        #expect(mailbox.history.map(\.messageID) == [message.id])
        #expect(mailbox.history.last?.id == mailbox.historyID)
        #expect(message.historyID == mailbox.historyID)
    }

    @Test func orderIsAscendingWhateverArrivesWhen() {
        var mailbox = Mailbox(address: "a@b", seed: 2)
        var random = SeededRandom(seed: 2)
        for _ in 0..<500 { _ = mailbox.deliver(mail(Int64(1 + random.below(50)))) }
        #expect(mailbox.order == mailbox.order.sorted())
        #expect(Set(mailbox.order).count == 500)
        let dates = mailbox.order.compactMap { mailbox.messages[$0]?.internalDate }
        #expect(dates == dates.sorted())
        for id in mailbox.order { #expect(mailbox.order[mailbox.position(id)] == id) }
        #expect(mailbox.position(0) == 0)
        #expect(mailbox.position(.max) == 500)
    }

    @Test(arguments: [-5, 0, 1, 8_000_000_000, Int64.max]) func extremeDatesStillMakeIDs(_ date: Int64) {
        var mailbox = Mailbox(address: "a@b", seed: 3)
        let first = mailbox.deliver(mail(date))
        let second = mailbox.deliver(mail(date))
        #expect(first.id > 0 && second.id > first.id)
    }

    @Test func aModificationIsOneRecordPerDirection() throws {
        var mailbox = Mailbox(address: "a@b", seed: 4)
        let id = mailbox.deliver(mail(1000, labels: ["INBOX", "UNREAD"])).id
        let before = mailbox.history.count
        let changed = try mailbox.modify(id, add: ["STARRED", "INBOX"], remove: ["UNREAD", "TRASH"])
        #expect(changed.labels == ["INBOX", "STARRED"])
        #expect(mailbox.history.count == before + 2)
        #expect(changed.historyID == mailbox.historyID)
        #expect(mailbox.history[before].labels == ["INBOX", "STARRED", "UNREAD"])
        // A label both added and removed stays.
        #expect(try mailbox.modify(id, add: ["INBOX"], remove: ["INBOX"]).labels == ["INBOX", "STARRED"])
        #expect(mailbox.history.count == before + 2)
    }

    @Test func threadsAreCountedAsTheyEmpty() throws {
        var mailbox = Mailbox(address: "a@b", seed: 5)
        let first = mailbox.deliver(mail(1000, id: 1)).id
        let reply = mailbox.deliver(mail(1001, id: 2, refs: [1]))
        #expect(reply.threadID == first)
        #expect(mailbox.threadsTotal == 1)
        try mailbox.delete(first)
        #expect(mailbox.threadsTotal == 1)
        try mailbox.delete(reply.id)
        #expect(mailbox.threadsTotal == 0)
        #expect(mailbox.order.isEmpty && mailbox.messages.isEmpty)
        #expect(throws: EmulatorError.self) { try mailbox.delete(first) }
    }

    @Test func expiryKeepsWhatIsYounger() {
        var mailbox = Mailbox(address: "a@b", seed: 6)
        let records = (0..<5).map { (number: Int64) in
            _ = mailbox.deliver(mail(1000 + number))
            return mailbox.historyID
        }
        mailbox.expireHistory(upTo: records[2])
        #expect(mailbox.history.map(\.id) == Array(records[3...]))
        #expect(mailbox.historyFloor == records[2])
        mailbox.expireHistory(upTo: records[0])
        #expect(mailbox.historyFloor == records[2])
        #expect(mailbox.firstRecord(after: records[3]) == 1)
        #expect(mailbox.firstRecord(after: 0) == 0)
        mailbox.expireHistory(upTo: nil)
        #expect(mailbox.history.isEmpty && mailbox.historyFloor > records[4])
    }

    @Test func pageTokensBelongToOneListing() throws {
        var mailbox = Mailbox(address: "a@b", seed: 7)
        let text = PageToken(cursor: 12_345).text(for: .messagesList, in: mailbox)
        #expect(text.count == 30 && text.allSatisfy(\.isNumber))
        #expect(try PageToken(text, for: .messagesList, in: mailbox).cursor == 12_345)
        #expect(throws: GmailError.self) { try PageToken(text, for: .historyList, in: mailbox) }
        #expect(throws: GmailError.self) {
            try PageToken(text, for: .messagesList, in: Mailbox(address: "c@d", seed: 7))
        }
        for bad in ["", "x", String(repeating: "9", count: 30), String(repeating: "1", count: 30), text + "0"] {
            #expect(throws: GmailError.self) { try PageToken(bad, for: .messagesList, in: mailbox) }
        }
        mailbox.expirePageTokens()
        #expect(throws: GmailError.self) { try PageToken(text, for: .messagesList, in: mailbox) }
    }

    @Test func hexIDs() {
        #expect(HexID.text(UInt64(0x17ed_3860_b714_f93e)) == "17ed3860b714f93e")
        #expect(HexID.text(UInt64(0)) == "0000000000000000")
        #expect(HexID.parse("17ed3860b714f93e") == 0x17ed_3860_b714_f93e)
        for bad in ["", "xyz", "17ed3860b714f93e0", "-1"] { #expect(HexID.parse(bad) == nil) }
        #expect(HexID.text([0x0f, 0xa0] as [UInt8]) == "0fa0")
    }
}
