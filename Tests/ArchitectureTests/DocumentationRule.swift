/// Every public declaration says what it is.
///
/// Exempt: cases and stored properties, whose names and types say it in a type that is documented; initialisers that neither
/// throw nor fail; and members that implement a requirement, which is documented where it is declared.
enum DocumentationRule {
    /// Requirements of protocols that are not ours.
    private static let foreignRequirements: Set = [
        "description", "debugDescription", "errorDescription", "hash", "encode", "next", "makeAsyncIterator",
        "rawValue",
        "==", "<", "init(from", "startIndex", "endIndex", "AsyncIterator", "customMirror",
        // ArgumentParser and ServiceLifecycle.
        "configuration", "validate", "run",
        // Metrics.
        "makeCounter", "makeFloatingPointCounter", "makeMeter", "makeRecorder", "makeTimer", "destroyCounter",
        "destroyFloatingPointCounter", "destroyMeter", "destroyRecorder", "destroyTimer",
    ]

    static func violations(in file: SourceFile, requirements: Set<String>) -> [Violation] {
        guard !file.isTest else { return [] }
        return file.code.indices.compactMap { index in
            guard let name = publicDeclaration(file.code, index), !isDocumented(file, index) else { return nil }
            guard !requirements.contains(name), !foreignRequirements.contains(name) else { return nil }
            return Violation(file, index, "public \(name) has no documentation comment")
        }
    }

    /// The names that our own protocols require.
    static func requirements(of files: [SourceFile]) -> Set<String> {
        Set(files.flatMap { requirements(of: $0) })
    }

    private static func requirements(of file: SourceFile) -> [String] {
        var names: [String] = []
        var depth: Int?
        for line in file.code {
            let words = line.words
            if depth == nil, words.contains("protocol") { depth = 0 }
            guard let open = depth else { continue }
            if open == 1, let name = declaredName(words) { names.append(name) }
            let now = open + line.count { $0 == "{" } - line.count { $0 == "}" }
            depth = now <= 0 && line.contains("}") ? nil : now
        }
        return names
    }

    /// The name that a line starting a public declaration declares; nil for other lines and for exempt ones.
    private static func publicDeclaration(_ code: [String], _ index: Int) -> String? {
        let words = code[index].words
        guard let modifier = words.first(where: { !$0.hasPrefix("@") }), modifier == "public" || modifier == "open"
        else {
            return nil
        }
        guard !words.contains("extension"), !words.contains("import"), !isStoredProperty(code[index], words) else {
            return nil
        }
        guard let name = declaredName(words) else { return nil }
        guard name == "init" else { return name }
        if code[index].contains("init(from ") { return "init(from" }
        return words.contains("init?") || signature(code, index).contains(token: "throws") ? name : nil
    }

    /// The name behind `func`, `var`, `struct` …; `init` for initialisers.
    private static func declaredName(_ words: [String]) -> String? {
        let keywords: Set = [
            "func", "var", "let", "struct", "enum", "actor", "protocol", "typealias", "associatedtype", "macro",
        ]
        if let keyword = words.firstIndex(where: keywords.contains), keyword + 1 < words.count {
            return words[keyword + 1]
        }
        if let keyword = words.firstIndex(of: "class"), keyword + 1 < words.count { return words[keyword + 1] }
        return ["init", "init?", "subscript"].first { words.contains($0) }.map { $0 == "init?" ? "init" : $0 }
    }

    private static func isStoredProperty(_ line: String, _ words: [String]) -> Bool {
        words.contains("let") || (words.contains("var") && (!line.contains("{") || line.contains("=")))
    }

    /// The declaration up to its body.
    private static func signature(_ code: [String], _ start: Int) -> String {
        var text = ""
        for line in code[start...].prefix(12) {
            text += line + " "
            if line.contains("{") { break }
        }
        return text
    }

    /// By a comment of its own, or by that of the one-line declarations it follows without an empty line.
    private static func isDocumented(_ file: SourceFile, _ index: Int) -> Bool {
        let comments = file.commentsAround(index)
        if comments.contains("///") || comments.contains("/**") { return true }
        guard comments.isEmpty, index > 0, file.code[index - 1].trimmed.hasPrefix("public ") else { return false }
        let above = file.code[index - 1]
        let isOneLine = above.count { $0 == "{" } == above.count { $0 == "}" }
        return isOneLine && isDocumented(file, index - 1)
    }
}

extension String {
    /// Names, operators and keywords; `init?` keeps its mark.
    fileprivate var words: [String] {
        split { " ({:<,>)=".contains($0) && !isOperatorDeclaration }.map(String.init)
    }

    private var isOperatorDeclaration: Bool { contains("func ==") || contains("func <") }
}
