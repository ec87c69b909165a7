/// The ids of a mailbox and their labels, in little memory: twelve bytes a message with Gmail's ids of 16 hex digits.
struct MailboxIndex: Sendable {
    /// Ids of 16 lower-case hex digits, as numbers; sorted once ``seal()`` was called.
    private var numbers: [UInt64] = []
    /// All other ids.
    private var others: [String] = []
    /// For each id (numbers first, then others) the number of its label set.
    private var setOfID: [UInt32] = []
    /// The distinct label sets; the first is the empty one. Each is sorted.
    private var sets: [[String]] = [[]]
    private var setNumbers: [[String]: UInt32] = [[]: 0]

    var count: Int { numbers.count + others.count }

    /// Adds ids before ``seal()``; repeats are harmless.
    mutating func insert(_ ids: [String]) {
        for id in ids {
            if let number = Self.number(id) { numbers.append(number) } else { others.append(id) }
        }
    }

    /// Ends the collecting of ids: from now on labels may be added and questions asked.
    mutating func seal() {
        numbers = Self.sortedUnique(numbers)
        others = Self.sortedUnique(others)
        setOfID = Array(repeating: 0, count: count)
    }

    /// Notes that these messages have the label. Ids that were not inserted are passed over.
    mutating func add(label: String, to ids: [String]) {
        var next: [UInt32: UInt32] = [:]
        for id in ids {
            guard let index = index(of: id) else { continue }
            let old = setOfID[index]
            if let known = next[old] {
                setOfID[index] = known
            } else {
                let number = number(ofSet: sets[Int(old)], adding: label)
                next[old] = number
                setOfID[index] = number
            }
        }
    }

    func contains(_ id: String) -> Bool { index(of: id) != nil }

    /// Sorted; nil when the id is not in the mailbox.
    func labels(of id: String) -> [String]? { index(of: id).map { sets[Int(setOfID[$0])] } }

    /// The `position`-th id, Gmail's newest first.
    func id(at position: Int) -> String {
        let index = count - 1 - position
        return index < numbers.count ? Self.text(numbers[index]) : others[index - numbers.count]
    }

    private mutating func number(ofSet set: [String], adding label: String) -> UInt32 {
        guard !set.contains(label) else { return setNumbers[set] ?? 0 }
        let grown = (set + [label]).sorted()
        if let known = setNumbers[grown] { return known }
        let number = UInt32(sets.count)
        sets.append(grown)
        setNumbers[grown] = number
        return number
    }

    private func index(of id: String) -> Int? {
        if let number = Self.number(id) { return Self.position(of: number, in: numbers) }
        return Self.position(of: id, in: others).map { $0 + numbers.count }
    }

    private static func position<Element: Comparable>(of element: Element, in sorted: [Element]) -> Int? {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == element ? low : nil
    }

    private static func sortedUnique<Element: Comparable>(_ elements: [Element]) -> [Element] {
        var result: [Element] = []
        for element in elements.sorted() where result.last != element { result.append(element) }
        return result
    }

    /// Only for ids that ``text(_:)`` gives back unchanged.
    private static func number(_ id: String) -> UInt64? {
        var id = id
        return id.withUTF8 { utf8 in
            guard utf8.count == 16 else { return nil }
            var value: UInt64 = 0
            for byte in utf8 {
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
                default: return nil
                }
            }
            return value
        }
    }

    private static func text(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
