import MailModel

extension EmulatorCommand {
    /// Does it to a mailbox and says what was done.
    ///
    /// - Throws: ``EmulatorError`` when there is no such message, label or mailbox.
    public func apply(to google: GoogleEmulator, mailbox address: String) throws(EmulatorError) -> String {
        switch self {
        case .new(let subject):
            let raw = Self.message(
                subject, address, at: google.configuration.time.nowMilliseconds(),
                unique: try google.historyID(of: address))
            return "new message \(try google.deliver(raw, to: address))"
        case .label(let id, let add, let remove):
            return try Self.onMessage(id, google, address, "labels changed") { id throws(EmulatorError) in
                try google.modify(id, in: address, add: add, remove: remove)
            }
        case .trash(let id):
            return try Self.onMessage(id, google, address, "in the trash") { id throws(EmulatorError) in
                try google.trash(id, in: address)
            }
        case .untrash(let id):
            return try Self.onMessage(id, google, address, "out of the trash") { id throws(EmulatorError) in
                try google.untrash(id, in: address)
            }
        case .delete(let id):
            return try Self.onMessage(id, google, address, "deleted") { id throws(EmulatorError) in
                try google.delete(id, in: address)
            }
        case .read(let id):
            return try Self.onMessage(id, google, address, "read") { id throws(EmulatorError) in
                try google.modify(id, in: address, remove: ["UNREAD"])
            }
        case .move, .renameFolder, .deleteFolder: throw .unsupported("folders")
        case .lifecycle, .subscriptions: throw .unsupported("subscriptions")
        case .createLabel(let name): return "label \(try google.createLabel(name, in: address))"
        case .live(let steps): return try Self.live(steps, google, address)
        case .fault(let fault): return "fault \(google.arm(fault)) is armed"
        case .clearFaults:
            google.faults.removeAll()
            google.pushFaults.removeAll()
            return "no faults"
        case .expireHistory:
            try google.expireHistory(of: address)
            return "history has expired"
        case .expireTokens:
            google.expireAccessTokens(of: address)
            return "access tokens have expired"
        case .revoke:
            google.revokeGrant(of: address)
            return "the grant is withdrawn"
        case .list(let count): return try Self.list(count, google, address)
        case .stats: return google.stats.text(google.faults)
        case .help: return Self.helpText
        }
    }

    private static func onMessage(
        _ name: String, _ google: GoogleEmulator, _ address: String, _ done: String,
        _ body: (String) throws(EmulatorError) -> Void
    ) throws(EmulatorError) -> String {
        let ids = try google.messageIDs(of: address)
        guard let id = name == "last" ? ids.last : ids.last(where: { $0.hasSuffix(name) }) else {
            throw .noMessage(name)
        }
        try body(id)
        return "\(id) \(done)"
    }

    private static func live(
        _ steps: Int, _ google: GoogleEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        // A new seed for every run, yet the same for the same state of the mailbox.
        var activity = MailboxActivity(address: address, seed: try google.historyID(of: address))
        var lines: [String] = []
        for _ in 0..<steps { lines.append(try activity.step(google).description) }
        return lines.joined(separator: "\n")
    }

    private static func list(
        _ count: Int, _ google: GoogleEmulator, _ address: String
    ) throws(EmulatorError) -> String {
        var lines: [String] = []
        for id in try google.messageIDs(of: address).suffix(count).reversed() {
            let fields = RawMessage(try google.rawMessage(id, in: address)).fields
            let subject = fields.first("subject") ?? ""
            lines.append("\(id)  \(try google.labels(ofMessage: id, in: address).joined(separator: ","))  \(subject)")
        }
        return lines.isEmpty ? "no messages" : lines.joined(separator: "\n")
    }

    /// - Parameter unique: makes the Message-ID the only one.
    static func message(_ subject: String, _ address: String, at now: Int64, unique: UInt64) -> [UInt8] {
        Array(
            """
            From: Emulator <emulator@example.org>\r
            To: <\(address)>\r
            Subject: \(subject)\r
            Date: \(MailDate.text(now / 1000))\r
            Message-ID: <\(now).\(unique)@emulator.example>\r
            Content-Type: text/plain; charset=utf-8\r
            \r
            \(subject)\r

            """.utf8)
    }
}

extension RequestStats {
    /// The counters in lines of `name value`.
    func text(_ faults: FaultRegistry) -> String {
        var lines = requests.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        lines += statuses.sorted { $0.key < $1.key }.map { "status \($0.key) \($0.value)" }
        lines += units.sorted { $0.key < $1.key }.map { "units \($0.key) \($0.value)" }
        lines.append("in flight at most \(concurrentMax)")
        lines.append("faults armed \(faults.active.count), struck \(faults.struck)")
        if let seed = faults.randomSeed { lines.append("random faults with seed \(seed)") }
        return lines.joined(separator: "\n")
    }
}
