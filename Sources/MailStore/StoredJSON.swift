import MailModel

/// Reads back the JSON that ``JSONText`` wrote into a column, with the order of the keys. Accepts what `JSONText`
/// writes, but for `null`, and nothing else.
enum StoredJSON: Hashable {
    struct Member: Hashable {
        var key: String
        var value: StoredJSON
    }
    case text(String)
    case integer(Int64)
    case bool(Bool)
    case array([StoredJSON])
    case object([Member])

    /// - Throws: ``StoreFailure/unreadable(_:)``.
    static func parse(_ text: String) throws -> StoredJSON {
        var text = text
        return try text.withUTF8 { bytes in
            var reader = Reader(bytes: bytes)
            let value = try reader.value(depth: 0)
            guard reader.position == bytes.count else { throw Reader.malformed }
            return value
        }
    }

    func texts() throws -> [String] {
        guard case .array(let values) = self else { throw Reader.malformed }
        return try values.map { try $0.text() }
    }

    func text() throws -> String {
        guard case .text(let text) = self else { throw Reader.malformed }
        return text
    }

    func integer() throws -> Int64 {
        guard case .integer(let value) = self else { throw Reader.malformed }
        return value
    }

    func bool() throws -> Bool {
        guard case .bool(let value) = self else { throw Reader.malformed }
        return value
    }

    func members() throws -> [Member] {
        guard case .object(let members) = self else { throw Reader.malformed }
        return members
    }

    func elements() throws -> [StoredJSON] {
        guard case .array(let values) = self else { throw Reader.malformed }
        return values
    }
}

extension StoredJSON {
    private struct Reader {
        static let malformed = StoreFailure.unreadable("a JSON column is malformed")
        /// The deepest document is an array of objects of texts.
        static let depthMax = 4

        let bytes: UnsafeBufferPointer<UInt8>
        var position = 0

        init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

        mutating func value(depth: Int) throws -> StoredJSON {
            guard depth < Self.depthMax else { throw Self.malformed }
            switch try peek() {
            case UInt8(ascii: "\""): return .text(try string())
            case UInt8(ascii: "["): return .array(try list(UInt8(ascii: "]")) { try $0.value(depth: depth + 1) })
            case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try literal())
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try number())
            case UInt8(ascii: "{"): return .object(try list(UInt8(ascii: "}")) { try $0.member(depth: depth + 1) })
            default: throw Self.malformed
            }
        }

        private mutating func member(depth: Int) throws -> Member {
            let key = try string()
            try expect(UInt8(ascii: ":"))
            return Member(key: key, value: try value(depth: depth))
        }

        private mutating func list<Element>(
            _ end: UInt8, _ element: (inout Reader) throws -> Element
        ) throws -> [Element] {
            position += 1
            var elements: [Element] = []
            if try peek() == end {
                position += 1
                return elements
            }
            while true {
                elements.append(try element(&self))
                let next = try peek()
                position += 1
                if next == end { return elements }
                guard next == UInt8(ascii: ",") else { throw Self.malformed }
            }
        }

        private mutating func literal() throws -> Bool {
            let value = try peek() == UInt8(ascii: "t")
            for byte in value ? "true".utf8 : "false".utf8 { try expect(byte) }
            return value
        }

        private mutating func number() throws -> Int64 {
            let start = position
            position += 1
            while position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) {
                position += 1
            }
            guard let value = Int64(String(decoding: bytes[start..<position], as: UTF8.self)) else {
                throw Self.malformed
            }
            return value
        }

        private mutating func string() throws -> String {
            try expect(UInt8(ascii: "\""))
            let start = position
            while try peek() != UInt8(ascii: "\""), try peek() != UInt8(ascii: "\\") { position += 1 }
            var text = Array(bytes[start..<position])
            while try peek() != UInt8(ascii: "\"") {
                let byte = try peek()
                position += 1
                text.append(byte == UInt8(ascii: "\\") ? try escaped() : byte)
            }
            position += 1
            return String(decoding: text, as: UTF8.self)
        }

        /// What follows a backslash: `JSONText` escapes single ASCII bytes only.
        private mutating func escaped() throws -> UInt8 {
            let byte = try peek()
            position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): return byte
            case UInt8(ascii: "n"): return UInt8(ascii: "\n")
            case UInt8(ascii: "r"): return UInt8(ascii: "\r")
            case UInt8(ascii: "t"): return UInt8(ascii: "\t")
            case UInt8(ascii: "u"): return try hexadecimal()
            default: throw Self.malformed
            }
        }

        private mutating func hexadecimal() throws -> UInt8 {
            guard position + 4 <= bytes.count,
                let code = UInt8(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
            else { throw Self.malformed }
            position += 4
            return code
        }

        private func peek() throws -> UInt8 {
            guard position < bytes.count else { throw Self.malformed }
            return bytes[position]
        }

        private mutating func expect(_ byte: UInt8) throws {
            guard try peek() == byte else { throw Self.malformed }
            position += 1
        }
    }
}
