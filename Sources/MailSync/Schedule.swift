import HeapModule
import MailModel

/// When each account's next pass is due. A value; times are Unix milliseconds.
struct Schedule: Sendable {
    private struct Entry: Comparable, Sendable {
        let due: Int64
        let order: Int
        let key: AccountKey
        static func < (a: Entry, b: Entry) -> Bool { (a.due, a.order) < (b.due, b.order) }
        static func == (a: Entry, b: Entry) -> Bool { a.order == b.order }
    }

    private var heap = Heap<Entry>()
    private var current: [AccountKey: Int] = [:]
    private var order = 0

    var count: Int { current.count }

    /// The account's next pass is due then; replaces what was set before.
    mutating func set(_ key: AccountKey, due: Int64) {
        order += 1
        current[key] = order
        heap.insert(Entry(due: due, order: order, key: key))
    }

    mutating func remove(_ key: AccountKey) { current[key] = nil }

    /// When the earliest pass is due.
    mutating func nextDue() -> Int64? {
        dropStale()
        return heap.min?.due
    }

    /// Takes the account that has been due longest.
    mutating func takeDue(at now: Int64) -> AccountKey? {
        dropStale()
        guard let first = heap.min, first.due <= now else { return nil }
        _ = heap.popMin()
        current[first.key] = nil
        return first.key
    }

    private mutating func dropStale() {
        while let first = heap.min, current[first.key] != first.order { _ = heap.popMin() }
    }
}
