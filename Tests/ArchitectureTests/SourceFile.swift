import Foundation
import MailTestSupport

/// A Swift file, cut into lines twice: what is code, and what is comment. Rules look at the one they mean, so that a word in
/// a string or a comment is no call.
struct SourceFile: Sendable {
    /// Relative to the package's root: `Sources/MailModel/EventID.swift`.
    let path: String
    /// Each line without comments and without what strings hold.
    let code: [String]
    /// The comments of each line, with their markers.
    let comments: [String]

    init(path: String, text: String) {
        self.path = path
        (code, comments) = splitCodeAndComments(text)
    }

    /// `Sources/MailModel/…` → `MailModel`.
    var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    var isTest: Bool { path.hasPrefix("Tests/") }

    /// Comment lines that touch line `index` from above, and the comment on the line itself. Lines of attributes between
    /// them do not count.
    func commentsAround(_ index: Int) -> String {
        var found = [comments[index]]
        var above = index - 1
        while above >= 0, isComment(above) || code[above].trimmed.hasPrefix("@") {
            found.append(comments[above])
            above -= 1
        }
        return found.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func isComment(_ index: Int) -> Bool { code[index].trimmed.isEmpty && !comments[index].isEmpty }
}

/// Something a rule objects to.
struct Violation: CustomStringConvertible, Hashable {
    let path: String
    /// Counted from 1.
    let line: Int
    let message: String

    init(_ file: SourceFile, _ index: Int, _ message: String) {
        self.init(path: file.path, line: index + 1, message: message)
    }

    init(path: String, line: Int, message: String) {
        self.path = path
        self.line = line
        self.message = message
    }

    var description: String { "\(path):\(line): \(message)" }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespaces) }

    /// Whether the token stands in the text by itself: not as the end of a longer name, nor, when it starts with a letter, as
    /// a member of something.
    func contains(token: String) -> Bool {
        var rest = self[...]
        while let range = rest.range(of: token) {
            let before = range.lowerBound == startIndex ? " " : self[index(before: range.lowerBound)]
            let after = range.upperBound == endIndex ? " " : self[range.upperBound]
            let startsApart = !isNameCharacter(before) && before != "."
            let endsApart = !isNameCharacter(after) || !(token.last.map(isNameCharacter) ?? false)
            if startsApart, endsApart { return true }
            rest = self[range.upperBound...]
        }
        return false
    }
}

private func isNameCharacter(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || character == "_"
}

/// The package's own files.
enum Package {
    /// All Swift files under Sources and Tests, by path.
    static let swiftFiles: [SourceFile] = files {
        $0.hasSuffix(".swift") && ($0.hasPrefix("Sources/") || $0.hasPrefix("Tests/"))
    }
    .map { SourceFile(path: $0.path, text: $0.text) }
    static let sources = swiftFiles.filter { $0.path.hasPrefix("Sources/") }

    /// All text files that belong to the repository: what is built, fetched or kept as data stays outside, as in `.gitignore`.
    static func files(where isWanted: (String) -> Bool) -> [(path: String, text: String)] {
        let root = SharedMaterial.packageRoot
        let walk = FileManager.default.enumerator(atPath: root)
        var found: [(String, String)] = []
        while let path = walk?.nextObject() as? String {
            if isForeign(path) {
                walk?.skipDescendants()
            } else if isWanted(path), let text = try? String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) {
                // What cannot be read as text, a directory among others, has no lines.
                found.append((path, text))
            }
        }
        return found.sorted { $0.0 < $1.0 }
    }

    private static func isForeign(_ path: String) -> Bool {
        [".git", ".tools", ".swiftpm", "data", "Package.resolved"].contains(path) || path.hasPrefix(".build")
    }
}
