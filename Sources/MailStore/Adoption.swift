import GRDB
import MailModel

/// How far the taking over of older mail has come.
public enum AdoptionStage: String, Sendable, Hashable {
    /// The mailbox's ids are listed.
    case listing
    /// Whatever arrived while listing is to be read as events, by a pass that begins now.
    case changes
    /// The rest is read, as state.
    case reading
    /// No usable resume point was left: what is read and dated before the stream's events is state.
    case blind
}

/// An account whose older events the stream no longer holds: their mail is read again, as state without events.
public struct Adoption: Sendable, Hashable {
    public var stage: AdoptionStage
    /// Of the listing.
    public var position: MailModel.Cursor?
}

extension StoreReader {
    /// What is left to take over; nil when nothing is.
    public func adoption(_ key: AccountKey) throws -> Adoption? {
        guard key.user == user else { return nil }
        let sql = "SELECT stage, position FROM adoptions WHERE account_id = \(Self.accountID)"
        return try db.row(sql, key.columns).map {
            Adoption(stage: try $0.choice(0), position: try $0.optionalText(1).map { MailModel.Cursor($0) })
        }
    }

    /// Messages to take over whose turn has come.
    public func adoptionCandidates(_ key: AccountKey, at now: UnixSeconds, limit: Int) throws -> [String] {
        let sql = """
            SELECT provider_message_id FROM adoption_candidates
            WHERE account_id = \(Self.accountID) AND next_attempt_at <= ? LIMIT ?
            """
        return try db.rows(sql, key.columns + [now.databaseValue, limit.databaseValue]).map { try $0.text(0) }
    }

    /// How many messages are still to be taken over.
    public func adoptionCandidateCount(_ key: AccountKey) throws -> Int {
        let sql = "SELECT count(*) FROM adoption_candidates WHERE account_id = \(Self.accountID)"
        return try db.row(sql, key.columns)?.count(0) ?? 0
    }

    private static let accountID =
        "(SELECT account_id FROM provider_sync_state WHERE provider = ? AND inbox_id = ?)"
}

extension StoreTransaction {
    /// Remembers those of a listed page's messages that the store does not know, and where the listing goes on.
    ///
    /// - Parameter position: nil after the last page.
    public func noteListed(_ ids: [String], next position: MailModel.Cursor?, of key: AccountKey) throws {
        let id = try AccountLedger.load(key, from: reader).id
        for message in try reader.unknown(key, among: ids) {
            try reader.db.run(
                """
                INSERT INTO adoption_candidates(account_id, provider_message_id) VALUES (?, ?) ON CONFLICT DO NOTHING
                """, [id.databaseValue, StoredText.value(message)])
        }
        let stage = position == nil ? AdoptionStage.changes : .listing
        try reader.db.run(
            "UPDATE adoptions SET stage = ?, position = ? WHERE account_id = ?",
            [stage.rawValue.databaseValue, StoredText.value(position?.document), id.databaseValue])
    }

    /// Moves on to another stage; nil: nothing is left to take over.
    public func setAdoption(_ key: AccountKey, _ stage: AdoptionStage?) throws {
        let id = try AccountLedger.load(key, from: reader).id
        if let stage {
            return try reader.db.run(
                "UPDATE adoptions SET stage = ? WHERE account_id = ?",
                [stage.rawValue.databaseValue, id.databaseValue])
        }
        try reader.db.run("DELETE FROM adoption_candidates WHERE account_id = ?", [id.databaseValue])
        try reader.db.run("DELETE FROM adoptions WHERE account_id = ?", [id.databaseValue])
        // Events do not tell folders: comparing with the provider does.
        guard key.provider == .microsoft else { return }
        try reader.db.run("UPDATE provider_sync_state SET cursor = '' WHERE account_id = ?", [id.databaseValue])
    }

    /// Stores what was read of candidates as state: rows below the first event number, no event, nothing for the outbox.
    /// Those that were read are candidates no longer; those that could not be are tried again later. The cursor stays.
    ///
    /// - Parameter ids: the candidates that were asked for.
    public func adopt(_ batch: ChangeBatch, candidates ids: [String], of key: AccountKey, at now: UnixSeconds) throws {
        var account = try AccountLedger.load(key, from: reader)
        var adopting = Adopting(db: reader.db, log: log)
        for change in batch.changes {
            guard case .read(let message, let inScope) = change, try reader.message(key, message.id) == nil else {
                continue
            }
            if try inScope || adopting.wasKnown(message.id, of: account) { try adopting.store(message, of: &account) }
        }
        let failed = Set(batch.gaps.map(\.id))
        for id in ids {
            if failed.contains(id) {
                try adopting.putOff(id, of: account, at: now)
            } else {
                try adopting.forget(id, of: account)
            }
        }
        try account.save(to: reader.db, at: now)
    }
}

/// Messages taken over as state, within one transaction.
struct Adopting {
    private let db: Database
    private let log: EventLog
    private var nextSeq: Int64?

    init(db: Database, log: EventLog) {
        self.db = db
        self.log = log
    }

    /// The number of an adopted message is no event's: 0, -1, -2 …
    private mutating func takeSeq() throws -> Int64 {
        let lowest =
            try nextSeq ?? db.row("SELECT min(0, coalesce(min(seq), 1) - 1) FROM email_received_events")?.integer(0)
        let seq = lowest ?? 0
        nextSeq = seq - 1
        return seq
    }

    mutating func store(_ message: MessageMeta, of account: inout AccountLedger) throws {
        let seq = try takeSeq()
        let id = EventID.make(
            generation: log.generation, account: account.key, message: message.id, type: "email.received", revision: 0)
        try log.adopt(
            MailEvent(
                id: id, seq: seq, recordedAt: message.date, account: account.key, origin: .backfill,
                body: .received(message)))
        // How many events the message had is not known; no more than the user had.
        try db.run(
            """
            INSERT INTO messages(seq, version, revision, is_present, provider_thread_id, labels_json, folder)
            VALUES (?, ?, ?, 1, ?, ?, ?)
            """,
            [
                seq.databaseValue, Int64(bitPattern: message.version).databaseValue,
                max(1, log.lastSeq).databaseValue, StoredText.value(message.threadID),
                StoredText.array(message.labels), StoredText.value(message.folder),
            ])
        account.stored += 1
    }

    /// The stream had events of it.
    func wasKnown(_ id: String, of account: AccountLedger) throws -> Bool {
        let sql = "SELECT was_known FROM adoption_candidates WHERE account_id = ? AND provider_message_id = ?"
        return try db.row(sql, [account.id.databaseValue, StoredText.value(id)])?.integer(0) == 1
    }

    func forget(_ id: String, of account: AccountLedger) throws {
        try db.run(
            "DELETE FROM adoption_candidates WHERE account_id = ? AND provider_message_id = ?",
            [account.id.databaseValue, StoredText.value(id)])
    }

    func putOff(_ id: String, of account: AccountLedger, at now: UnixSeconds) throws {
        let columns = [account.id.databaseValue, StoredText.value(id)]
        let sql = "SELECT attempts FROM adoption_candidates WHERE account_id = ? AND provider_message_id = ?"
        let attempts = (try db.row(sql, columns)?.count(0) ?? 0) + 1
        try db.run(
            """
            UPDATE adoption_candidates SET attempts = ?, next_attempt_at = ?
            WHERE account_id = ? AND provider_message_id = ?
            """,
            [
                attempts.databaseValue,
                (now + GapSchedule.delaySeconds(afterAttempts: attempts)).databaseValue,
            ] + columns)
    }

    /// Whether a message that a batch brings is taken over rather than received: it was there before the events that are
    /// left, and nothing tells what else of it was said.
    func takesOver(_ message: MessageMeta, of account: AccountLedger) throws -> Bool {
        guard
            let row = try db.row(
                "SELECT stage, new_from FROM adoptions WHERE account_id = ?", [account.id.databaseValue])
        else { return false }
        if try row.text(0) == AdoptionStage.blind.rawValue { return message.date <= (try row.integer(1)) }
        return try wasKnown(message.id, of: account)
    }
}
