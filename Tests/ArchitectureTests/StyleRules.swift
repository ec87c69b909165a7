/// The habits of the code that a machine can check.
enum StyleRules {
    static let functionLinesMax = 70
    static let fileLinesMax = 600

    static func violations(in file: SourceFile) -> [Violation] {
        fileLength(file) + functionLength(file) + bannedCalls(file) + ownedTasks(file) + statedInvariants(file)
            + finishedWork(file)
    }

    static func fileLength(_ file: SourceFile) -> [Violation] {
        guard file.code.count > fileLinesMax + 1 else { return [] }
        return [Violation(file, fileLinesMax, "the file has more than \(fileLinesMax) lines")]
    }

    static func functionLength(_ file: SourceFile) -> [Violation] {
        functions(in: file).filter { $0.count > functionLinesMax }.map { lines in
            Violation(file, lines.lowerBound, "the function has \(lines.count) lines, more than \(functionLinesMax)")
        }
    }

    /// Calls, with what is to be done in their place.
    static func bannedCalls(_ file: SourceFile) -> [Violation] {
        file.code.enumerated().flatMap { index, line in
            bans(for: file).filter { line.contains(token: $0.token) }.map {
                Violation(file, index, "\($0.token): \($0.advice)")
            }
        }
    }

    private static func bans(for file: SourceFile) -> [(token: String, advice: String)] {
        var bans = [("try!", "handle the error")]
        if file.isTest {
            bans += ["Task.sleep", "Thread.sleep", "usleep(", "nanosleep("].map {
                ($0, "wait for the event, or move a ManualTime")
            }
        } else {
            bans += [
                ("as!", "use as? and handle nil"), ("fatalError(", "throw, or state a precondition"),
                ("Task.detached", "use a task that somebody owns"),
            ]
            // Programs talk to people and look at the clock; what decides is elsewhere.
            if !["mailsync", "Benchmarks"].contains(file.target) {
                bans += [
                    ("print(", "log, or throw"), ("Date()", "take a TimeSource"), ("Date.now", "take a TimeSource"),
                ]
            }
            // The clock behind TimeSource.
            if file.path != "Sources/MailModel/TimeSource.swift", file.target != "Benchmarks" {
                bans.append(("Task.sleep", "sleep on a TimeSource"))
            }
        }
        return bans
    }

    /// A task that nobody keeps cannot be cancelled or awaited: `Task {` is assigned, returned or passed on, or a comment beside
    /// it names its owner (`// owner: …`).
    static func ownedTasks(_ file: SourceFile) -> [Violation] {
        guard !file.isTest else { return [] }
        return file.code.enumerated().compactMap { index, line in
            guard line.trimmed.startsTask, !file.commentsAround(index).contains("owner:") else { return nil }
            return Violation(file, index, "a Task that nobody owns: keep it, or name its owner (// owner: …)")
        }
    }

    /// What the compiler cannot check is said beside it.
    static func statedInvariants(_ file: SourceFile) -> [Violation] {
        file.code.enumerated().flatMap { index, line in
            ["@unchecked Sendable", "nonisolated(unsafe)"].filter { line.contains(token: $0) }.compactMap { token in
                guard file.commentsAround(index).isEmpty else { return nil }
                return Violation(file, index, "\(token) without its invariant in a comment above")
            }
        }
    }

    static func finishedWork(_ file: SourceFile) -> [Violation] {
        file.comments.enumerated().flatMap { index, comment in
            ["TODO", "FIXME"].filter { comment.contains(token: $0) }.map {
                Violation(file, index, "\($0) in a comment: do it, or open an issue")
            }
        }
    }

    /// The lines of every function with a body, from its declaration to its closing brace.
    static func functions(in file: SourceFile) -> [ClosedRange<Int>] {
        file.code.indices.compactMap { start in
            guard file.code[start].declaresFunction, let end = endOfBody(file.code, from: start) else { return nil }
            return start...end
        }
    }

    /// The line of the brace that closes the body of the declaration on line `start`; nil when it has none.
    private static func endOfBody(_ code: [String], from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        for index in start..<code.count {
            // A requirement of a protocol ends where the next declaration starts.
            if index > start, braces == 0, parentheses == 0, code[index].startsDeclaration { return nil }
            for character in code[index].utf8 {
                switch character {
                case UInt8(ascii: "("), UInt8(ascii: "["): if braces == 0 { parentheses += 1 }
                case UInt8(ascii: ")"), UInt8(ascii: "]"): if braces == 0 { parentheses -= 1 }
                case UInt8(ascii: "{"): if parentheses == 0 { braces += 1 }
                case UInt8(ascii: "}"):
                    guard parentheses == 0 else { continue }
                    if braces == 0 { return nil }
                    braces -= 1
                    if braces == 0 { return index }
                default: continue
                }
            }
        }
        return nil
    }
}

extension String {
    fileprivate var startsTask: Bool {
        hasPrefix("Task {") || hasPrefix("Task(") || hasPrefix("_ = Task {") || hasPrefix("_ = Task(")
            || hasPrefix("Task<") || hasPrefix("Task.immediate")
    }

    var declaresFunction: Bool {
        contains(token: "func") || contains(token: "init(") || contains(token: "init?(") || contains(token: "init<")
            || trimmed == "deinit {" || contains(token: "deinit")
    }

    fileprivate var startsDeclaration: Bool {
        guard let word = split(separator: " ").first else { return false }
        return word.hasPrefix("@")
            || [
                "func", "init", "var", "let", "static", "mutating", "associatedtype", "subscript", "public", "private",
                "fileprivate", "internal", "package", "nonisolated", "case", "struct", "class", "enum", "extension",
                "}",
            ].contains { word == $0 || word.hasPrefix($0 + "(") || word.hasPrefix($0 + "?(") }
    }
}
