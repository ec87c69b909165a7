/// Which modules each target may import, besides those of the platform. The table of "Targets" in Docs/ARCHITECTURE.md,
/// with the libraries; siblings never import each other.
enum ImportRules {
    static let platform: Set = ["Foundation", "Synchronization", "Dispatch", "Glibc"]

    static let allowed: [String: Set<String>] = [
        "MailModel": ["Crypto"],
        "MailHeaders": [],
        "HTTPTransport": ["CCurl", "Logging"],
        "JetStream": ["CNATS", "MailModel", "Logging"],
        "ProviderClient": ["MailModel", "MailHeaders", "HTTPTransport"],
        "GmailProvider": ["MailModel", "MailHeaders", "HTTPTransport", "ProviderClient", "Logging"],
        "OutlookProvider": ["MailModel", "MailHeaders", "HTTPTransport", "ProviderClient", "Logging"],
        "MailStore": ["MailModel", "GRDB", "Logging"],
        "Accounts": ["MailModel", "HTTPTransport", "GRDB", "Crypto", "JWTKit", "Logging"],
        "MailSync": ["MailModel", "MailStore", "Accounts", "HeapModule", "ServiceLifecycle", "Logging"],
        "MailDispatch": ["MailModel", "MailStore", "ServiceLifecycle", "Logging"],
        "HTTPServing": ["HummingbirdCore", "NIOCore", "Logging"],
        "MailPush": ["MailModel", "Accounts", "Crypto", "GRDB", "ServiceLifecycle", "Logging"],
        "MailJobs": ["MailModel", "Accounts", "GRDB", "ServiceLifecycle", "Logging"],
        "MailRecovery": ["MailModel", "MailStore", "ServiceLifecycle", "Logging"],
        "MailAPI": [
            "HTTPServing", "MailModel", "MailStore", "Accounts", "MailSync", "MailDispatch", "MailPush", "MailJobs",
            "Hummingbird",
            "HTTPTypes", "NIOCore", "NIOHTTP1", "NIOWebSocket", "Crypto", "ServiceLifecycle", "Metrics", "Logging",
        ],
        "EventAudit": ["MailModel", "MailStore", "Crypto"],
        "ProviderEmulator": [
            "CZlib", "HTTPServing", "HTTPTransport", "MailHeaders", "MailModel", "Hummingbird", "HTTPTypes", "NIOCore",
            "Crypto",
            "CryptoExtras",
            "Logging",
        ],
        "mailsync": everythingOfOurs.union([
            "ArgumentParser", "Configuration", "Hummingbird", "ServiceLifecycle", "SystemPackage", "Metrics", "Logging",
        ]),
        "MailTestSupport": ["MailModel", "JetStream", "Logging"],
        "Benchmarks": everythingOfOurs.union(["ArgumentParser", "GRDB", "Logging", "MailTestSupport", "PlainLimits"]),
    ]

    private static let everythingOfOurs: Set = [
        "MailModel", "HTTPServing", "HTTPTransport", "JetStream", "GmailProvider", "OutlookProvider", "MailStore",
        "Accounts",
        "MailSync", "MailDispatch", "MailPush", "MailJobs",
        "MailRecovery", "MailAPI", "EventAudit", "ProviderEmulator",
    ]

    /// Imports that the table does not allow; a target without a row may import nothing.
    static func violations(in file: SourceFile) -> [Violation] {
        let modules = allowed[file.target]
        return imports(of: file).compactMap { index, module in
            guard let modules else { return Violation(file, index, "target \(file.target) has no row in the table") }
            guard !platform.contains(module), !modules.contains(module) else { return nil }
            return Violation(file, index, "\(file.target) must not import \(module)")
        }
    }

    /// C modules that more or fewer targets than one import.
    static func violations(cModules: Set<String>, files: [SourceFile]) -> [Violation] {
        var importers: [String: Set<String>] = [:]
        for file in files {
            for (_, module) in imports(of: file) where cModules.contains(module) {
                importers[module, default: []].insert(file.target)
            }
        }
        return cModules.sorted().compactMap { module in
            let targets = importers[module, default: []].sorted()
            guard targets.count != 1 else { return nil }
            let message = "\(module) is imported by \(targets), not by one target"
            return Violation(path: "Sources/\(module)/module.modulemap", line: 1, message: message)
        }
    }

    /// The module of `import X`, `@testable import X`, `import struct X.Y` …, with the line.
    static func imports(of file: SourceFile) -> [(index: Int, module: String)] {
        let kinds: Set = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        return file.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ").map(String.init)
            guard let position = words.firstIndex(of: "import"), words[..<position].allSatisfy(isModifier) else {
                return nil
            }
            let name = words[(position + 1)...].first { !kinds.contains($0) }
            return name?.split(separator: ".").first.map { (index, String($0)) }
        }
    }

    private static func isModifier(_ word: String) -> Bool {
        word.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(word)
    }
}
