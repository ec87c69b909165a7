import MailModel

extension EmulatorCommand {
    /// Does it to a Microsoft mailbox and says what was done.
    ///
    /// - Throws: ``EmulatorError`` when there is no such message, folder or mailbox.
    public func apply(to microsoft: MicrosoftEmulator, mailbox address: String) throws(EmulatorError) -> String {
        switch self {
        case .new, .label, .trash, .untrash, .delete, .read, .move: try change(microsoft, address)
        case .createLabel(let path): "folder \(try Self.createFolder(path, microsoft, address))"
        case .renameFolder(let path, let name):
            try Self.done("\(path) is now \(name)") { () throws(EmulatorError) in
                try microsoft.renameFolder(path, to: name, in: address)
            }
        case .deleteFolder(let path):
            try Self.done("\(path) is gone") { () throws(EmulatorError) in
                try microsoft.deleteFolder(path, in: address)
            }
        case .live(let steps): try Self.live(steps, microsoft, address)
        case .fault(let fault): "fault \(microsoft.faults.add(fault)) is armed"
        case .clearFaults: Self.done("no faults") { microsoft.faults.removeAll() }
        case .expireHistory:
            try Self.done("delta links have expired") { () throws(EmulatorError) in
                try microsoft.expireDelta(of: address)
            }
        case .expireTokens:
            Self.done("access tokens have expired") { microsoft.expireAccessTokens(of: address) }
        case .revoke: Self.done("the grant is withdrawn") { microsoft.revokeGrant(of: address) }
        case .lifecycle(let event):
            try Self.done("told: \(event.rawValue)") { () throws(EmulatorError) in
                try microsoft.sendLifecycle(event, to: address)
            }
        case .subscriptions: try Self.subscriptions(microsoft, address)
        case .list(let count): try Self.list(count, microsoft, address)
        case .stats: microsoft.stats.text(microsoft.faults)
        case .help: Self.helpText
        }
    }

    /// Commands about one message.
    private func change(_ microsoft: MicrosoftEmulator, _ address: String) throws(EmulatorError) -> String {
        switch self {
        case .new(let subject):
            let raw = Self.message(
                subject, address, at: microsoft.configuration.time.nowMilliseconds(),
                unique: try microsoft.clock(of: address))
            return "new message \(try microsoft.deliver(raw, to: address))"
        case .label(let name, let add, let remove):
            let id = try Self.id(name, microsoft, address)
            try microsoft.set(id, in: address) { properties in
                for label in add { properties.set(label, true) }
                for label in remove { properties.set(label, false) }
            }
            return "\(id) labels changed"
        case .read(let name):
            let id = try Self.id(name, microsoft, address)
            try microsoft.setRead(id, true, in: address)
            return "\(id) read"
        case .delete(let name):
            let id = try Self.id(name, microsoft, address)
            try microsoft.delete(id, in: address)
            return "\(id) deleted"
        case .move(let name, let folder): return try Self.move(name, folder, microsoft, address)
        case .trash(let name): return try Self.move(name, "deleteditems", microsoft, address)
        case .untrash(let name): return try Self.move(name, "inbox", microsoft, address)
        default: return ""
        }
    }

    private static func done(
        _ text: String, _ body: () throws(EmulatorError) -> Void
    ) throws(EmulatorError) -> String {
        try body()
        return text
    }

    private static func done(_ text: String, _ body: () -> Void) -> String {
        body()
        return text
    }

    private static func move(
        _ name: String, _ folder: String, _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        let id = try id(name, microsoft, address)
        try microsoft.move(id, to: folder, in: address)
        return "\(id) in \(folder)"
    }

    /// The message whose id, without the ending that all ids share, ends so; or the newest.
    private static func id(
        _ name: String, _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        let ids = try microsoft.messageIDs(of: address)
        let match = name == "last" ? ids.last : ids.last { $0.hasSuffix(name) || $0.hasSuffix(name + "AAA=") }
        guard let match else { throw .noMessage(name) }
        return match
    }

    /// - Returns: the new folder's id.
    private static func createFolder(
        _ path: String, _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        let parts = path.split(separator: "/").map(String.init)
        guard let name = parts.last else { throw .noFolder(path) }
        let parent = parts.count == 1 ? "msgfolderroot" : parts.dropLast().joined(separator: "/")
        return try microsoft.createFolder(name, in: address, parent: parent)
    }

    private static func live(
        _ steps: Int, _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        // A new seed for every run, yet the same for the same state of the mailbox.
        var activity = MailboxActivity(address: address, seed: try microsoft.clock(of: address))
        var lines: [String] = []
        for _ in 0..<steps { lines.append(try activity.step(microsoft).description) }
        return lines.joined(separator: "\n")
    }

    private static func subscriptions(
        _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        let lines = try microsoft.subscriptions(of: address).map { subscription in
            "\(subscription.id)  \(subscription.resource)  \(subscription.changeType)  "
                + "until \(MailDate.second(subscription.expiresAt))  \(subscription.notificationURL)"
                + (subscription.isPaused ? "  paused" : "")
        }
        return lines.isEmpty ? "no subscriptions" : lines.joined(separator: "\n")
    }

    private static func list(
        _ count: Int, _ microsoft: MicrosoftEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        var lines: [String] = []
        for id in try microsoft.messageIDs(of: address).suffix(count).reversed() {
            let subject = RawMessage(try microsoft.rawMessage(id, in: address)).fields.first("subject") ?? ""
            let labels = try microsoft.labels(ofMessage: id, in: address).joined(separator: ",")
            lines.append("\(id)  \(labels)  \(subject)")
        }
        return lines.isEmpty ? "no messages" : lines.joined(separator: "\n")
    }
}

extension MicrosoftEmulator {
    /// Counts the changes of a mailbox.
    fileprivate func clock(of address: String) throws(EmulatorError) -> UInt64 { try box(address).read(\.clock) }
}
