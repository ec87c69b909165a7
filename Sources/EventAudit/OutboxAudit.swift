import MailModel
import MailStore

/// Holds the outbox against the event log: every event that waits has its row, with the bytes the log renders, and
/// nothing else has one.
public enum OutboxAudit {
    /// What does not agree in this stretch.
    public static func differences(_ stretch: OutboxStretch) -> [Difference] {
        var found: [Difference] = []
        var rows = stretch.rows[...]
        for event in stretch.events {
            while let row = rows.first, row.seq < event.seq { found.append(superfluous(rows.removeFirst(), stretch)) }
            guard let row = rows.first, row.seq == event.seq else {
                found.append(Difference(.outboxMissing, account: event.account, seq: event.seq, event.type))
                continue
            }
            rows.removeFirst()
            found += difference(event, row)
        }
        return found + rows.map { superfluous($0, stretch) }
    }

    private static func superfluous(_ row: OutboxRow, _ stretch: OutboxStretch) -> Difference {
        let isConfirmed = row.seq <= stretch.dispatch.publishedSeq
        return Difference(
            .outboxSuperfluous, seq: row.seq, isConfirmed ? "the event is confirmed" : "the log has no such event")
    }

    private static func difference(_ event: MailEvent, _ row: OutboxRow) -> [Difference] {
        var parts: [String] = []
        if row.eventID != event.id { parts.append("event id") }
        if row.subject != event.subject || row.eventType != event.type { parts.append("subject") }
        if row.payload != event.payload() { parts.append("payload") }
        guard !parts.isEmpty else { return [] }
        let detail = "another \(parts.joined(separator: ", ")) than the log gives"
        return [Difference(.outboxDiffers, account: event.account, seq: event.seq, detail)]
    }
}
