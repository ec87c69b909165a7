/// How far event numbers may be given out before the registry has to be told again.
struct SequenceReservation: Sendable {
    /// So many numbers are reserved at once: one write to the registry for as many events.
    static let step: Int64 = 10_000
    /// A transaction that gives out more numbers than this takes some that are not reserved yet.
    static let headroom: Int64 = 2_000

    var lastSeq: Int64
    /// The registry knows that numbers up to here may be given out.
    var through: Int64

    /// Up to where to reserve now; nil while there is room.
    var wanted: Int64? { lastSeq + Self.headroom > through ? lastSeq + Self.step : nil }
}

extension StoreReader {
    /// True when numbers were given out that this file knows nothing of: it is an older copy, or a new one.
    func isBelow(floor: Int64) throws -> Bool {
        try db.row("SELECT reserved_seq FROM meta")?.integer(0) ?? 0 < floor
    }
}
