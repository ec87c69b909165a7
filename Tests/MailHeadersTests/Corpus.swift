import Foundation
import MailTestSupport

/// One message of the corpus with what the reference parser read in it.
struct CorpusEntry {
    var name: String
    var fields: [(name: String, value: [UInt8])]
    var expected: Expected

    /// The first field of this name; nil when there is none.
    func first(_ name: String) -> [UInt8]? {
        fields.first { $0.name.lowercased() == name }?.value
    }
}

/// An entry of the oracle (`ORACLE.md`).
struct Expected: Decodable {
    struct Address: Decodable, Equatable {
        var name: String
        var addr: String
    }
    var message_id: String?
    var date: Int64?
    var subject: String?
    var from: [Address]?
    var to: [Address]?
    var cc: [Address]?
    var bcc: [Address]?
    var in_reply_to: String?
    var suspect: Bool
    var disagree: [String]?
    var odd: [String]?
    var file: String?
}

enum Corpus {
    /// The 5,000 messages of `real-5k`.
    static func real(in directory: String) throws -> [CorpusEntry] {
        let expected = try oracle("\(directory)/real-5k.oracle.jsonl.gz")
        let messages = split(mbox: try gunzip("\(directory)/real-5k.mbox.gz"))
        precondition(messages.count == expected.count, "\(messages.count) messages, \(expected.count) oracle lines")
        return zip(messages, expected).enumerated().map { index, pair in
            CorpusEntry(name: "#\(index)", fields: headerFields(of: pair.0), expected: pair.1)
        }
    }

    /// The single messages of `nasty`.
    static func nasty(in directory: String) throws -> [CorpusEntry] {
        try oracle("\(directory)/nasty.oracle.jsonl.gz").map { expected in
            let file = expected.file ?? ""
            let bytes = try Data(contentsOf: URL(filePath: "\(directory)/nasty/\(file)"))
            return CorpusEntry(name: file, fields: headerFields(of: ArraySlice(bytes)), expected: expected)
        }
    }

    private static func oracle(_ path: String) throws -> [Expected] {
        try gunzip(path).split(separator: 10).map { try JSONDecoder().decode(Expected.self, from: Data($0)) }
    }

    private static func gunzip(_ path: String) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return [UInt8](data)
    }

    /// Messages start after a line `From …` that begins the file or follows an empty line.
    private static func split(mbox: [UInt8]) -> [ArraySlice<UInt8>] {
        let from = Array("From ".utf8)
        var starts: [(separator: Int, body: Int)] = []
        var line = 0
        while line < mbox.count {
            let end = mbox[line...].firstIndex(of: 10) ?? mbox.count - 1
            if mbox[line...].starts(with: from), line == 0 || (line >= 2 && mbox[line - 2] == 10) {
                starts.append((line, end + 1))
            }
            line = end + 1
        }
        return starts.indices.map { index in
            let end = index + 1 < starts.count ? starts[index + 1].separator - 1 : mbox.count
            return mbox[starts[index].body..<max(starts[index].body, end)]
        }
    }

    /// The header section, cut into fields with their folding.
    static func headerFields(of message: ArraySlice<UInt8>) -> [(name: String, value: [UInt8])] {
        var fields: [(name: String, value: [UInt8])] = []
        var line = message.startIndex
        while line < message.endIndex {
            let end = message[line...].firstIndex(of: 10) ?? message.endIndex - 1
            var content = message[line...end]
            while let last = content.last, last == 10 || last == 13 { content.removeLast() }
            if content.isEmpty { break }
            if content.first == 32 || content.first == 9 {
                if !fields.isEmpty { fields[fields.count - 1].value += [10] + content }
            } else if let colon = content.firstIndex(of: UInt8(ascii: ":")) {
                let name = String(decoding: content[..<colon], as: UTF8.self).trimmingCharacters(in: .whitespaces)
                fields.append((name, Array(content[(colon + 1)...])))
            } else if !(fields.isEmpty && content.starts(with: "From ".utf8)) {
                break
            }
            line = end + 1
        }
        return fields
    }
}
