extension Mailbox {
    /// Takes over a label with its id.
    mutating func adopt(_ label: MailboxLabel) {
        labels.append(label)
        if let number = Int(label.id.dropFirst("Label_".count)) { nextLabel = max(nextLabel, number + 1) }
    }

    /// - Throws: ``EmulatorError/noLabel(_:)`` for the first id that the mailbox does not have.
    func checkLabels(_ ids: [String]) throws(EmulatorError) {
        for id in ids where !labels.contains(where: { $0.id == id }) { throw .noLabel(id) }
    }

    mutating func renameLabel(_ id: String, to name: String) throws(EmulatorError) {
        guard let index = labels.firstIndex(where: { $0.id == id && !$0.isSystem }) else { throw .noLabel(id) }
        guard !labels.contains(where: { $0.name == name }) else { throw .labelExists(name) }
        labels[index].name = name
    }

    /// Takes the label off every message (with history records), then removes it.
    mutating func deleteLabel(_ id: String) throws(EmulatorError) {
        guard let index = labels.firstIndex(where: { $0.id == id && !$0.isSystem }) else { throw .noLabel(id) }
        for message in order where messages[message]?.labels.contains(id) == true {
            _ = try modify(message, add: [], remove: [id])
        }
        labels.remove(at: index)
    }
}
