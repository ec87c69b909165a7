import Foundation

/// One message of an mbox file.
struct MboxMessage: Sendable {
    /// The message; of a very long one the beginning.
    var bytes: [UInt8]
    var sizeBytes: Int
    /// The date of the separator line, Unix seconds.
    var separatorDate: Int64?
}

/// Reads an mbox file (mboxrd: RFC 4155 with `>From ` quoting undone), message by message, in constant memory.
///
/// A message starts after a line `From …` that begins the file or follows an empty line, and ends before the empty
/// line that precedes the next one.
struct MboxReader {
    private static let chunkBytes = 256 * 1024
    private let path: String
    private let keptBytesMax: Int
    private var current: MboxMessage?
    /// Line ends not yet known to belong to the message.
    private var heldLineEnd: ArraySlice<UInt8> = []
    private var previousIsEmpty = true
    private var line: [UInt8] = []
    private(set) var count = 0

    private init(path: String, keptBytesMax: Int) {
        self.path = path
        self.keptBytesMax = keptBytesMax
    }

    /// Hands every message to `body` and returns how many there were. Blocks.
    ///
    /// - Throws: ``EmulatorError/unreadableFile(path:reason:)`` for a file that cannot be read, holds no mbox or is
    ///   empty.
    static func read(
        _ path: String, keptBytesMax: Int = IncomingMail.keptBytesMax, _ body: (MboxMessage) -> Void
    ) throws(EmulatorError) -> Int {
        let file = try CompressedFile(path)
        var reader = MboxReader(path: path, keptBytesMax: keptBytesMax)
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = try file.read(into: &chunk)
            if count == 0 { break }
            try reader.take(chunk[..<count], body)
        }
        try reader.finish(body)
        return reader.count
    }

    private mutating func take(_ chunk: ArraySlice<UInt8>, _ body: (MboxMessage) -> Void) throws(EmulatorError) {
        var index = chunk.startIndex
        while index < chunk.endIndex {
            let end = Self.lineEnd(chunk, from: index)
            // A line longer than any message kept is cut rather than gathered.
            if line.count < keptBytesMax { line.append(contentsOf: chunk[index..<end]) }
            index = end
            if chunk[end - 1] == UInt8(ascii: "\n") { try takeLine(body) }
        }
    }

    private mutating func takeLine(_ body: (MboxMessage) -> Void) throws(EmulatorError) {
        defer { line.removeAll(keepingCapacity: true) }
        if previousIsEmpty, line.starts(with: Self.separator) {
            if let current { deliver(current, body) }
            current = MboxMessage(
                bytes: [], sizeBytes: 0,
                separatorDate: MailDate.parseSeparator(String(decoding: line, as: UTF8.self)))
            heldLineEnd = []
            previousIsEmpty = false
            return
        }
        guard current != nil else {
            throw .unreadableFile(path: path, reason: "not an mbox file: it does not start with a line 'From …'")
        }
        append(heldLineEnd)
        heldLineEnd = []
        previousIsEmpty = line.first == UInt8(ascii: "\n") || line.starts(with: Array("\r\n".utf8))
        if previousIsEmpty { heldLineEnd = line[...] } else { append(unquoted()) }
    }

    private mutating func finish(_ body: (MboxMessage) -> Void) throws(EmulatorError) {
        if !line.isEmpty { try takeLine(body) }
        guard let current else { throw .unreadableFile(path: path, reason: "it is empty") }
        deliver(current, body)
    }

    private mutating func deliver(_ message: MboxMessage, _ body: (MboxMessage) -> Void) {
        count += 1
        body(message)
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        let room = max(0, keptBytesMax - (current?.bytes.count ?? 0))
        current?.bytes.append(contentsOf: bytes.prefix(room))
        current?.sizeBytes += bytes.count
    }

    /// The line without one `>` of those in front of `From `.
    private func unquoted() -> ArraySlice<UInt8> {
        guard line.first == UInt8(ascii: ">"),
            line.drop(while: { $0 == UInt8(ascii: ">") }).starts(with: Self.separator)
        else { return line[...] }
        return line[1...]
    }

    private static let separator = Array("From ".utf8)

    /// The position after the next line end, or the end of the chunk.
    private static func lineEnd(_ chunk: ArraySlice<UInt8>, from start: Int) -> Int {
        chunk.withUnsafeBufferPointer { bytes in
            let offset = start - chunk.startIndex
            guard let base = bytes.baseAddress, let found = memchr(base + offset, 0x0a, bytes.count - offset) else {
                return chunk.endIndex
            }
            return chunk.startIndex + (UnsafeRawPointer(found) - UnsafeRawPointer(base)) + 1
        }
    }
}
