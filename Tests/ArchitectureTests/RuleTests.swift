import Testing

/// Every rule on code that breaks it and on code that does not.
@Suite("Rules")
struct RuleTests {
    private func source(_ text: String, path: String = "Sources/MailSync/Some.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    @Test("strings and comments are told from code")
    func scanner() {
        let file = source(
            #"""
            let a = "print(1) // \(f("x", (2))) /* " // why "not"
            /* one /* two */ still
            */ let b = #"\("# + """
              try! "quoted" \(call(")"))
              """
            let c = 1
            """#)
        #expect(file.code[0].trimmed == #"let a = "f("", (2)))""#)
        #expect(file.comments[0] == #"// why "not""#)
        #expect(file.code[1].isEmpty)
        #expect(file.comments[1] == "/* one /* two */ still")
        #expect(file.code[2].trimmed == ##"let b = #""# + """"##)
        #expect(file.code[3] == #"call(""))"#)
        #expect(file.code[5] == "let c = 1")
    }

    @Test(
        "tokens stand by themselves",
        arguments: [
            ("try! f()", "try!", true), ("print(1)", "print(", true), ("x.print(1)", "print(", false),
            ("sprint(1)", "print(", false), ("Date()", "Date()", true), ("MyDate()", "Date()", false),
            ("Task.sleep(for: x)", "Task.sleep", true), ("Task.sleeper", "Task.sleep", false),
            ("blueprint(print(1))", "print(", true),
        ])
    func tokens(text: String, token: String, isThere: Bool) { #expect(text.contains(token: token) == isThere) }

    @Test(
        "imports outside the table are found",
        arguments: [
            ("MailSync", "import MailStore", true), ("MailSync", "import Foundation", true),
            ("MailSync", "import GRDB", false), ("MailSync", "@testable import JetStream", false),
            ("MailSync", "import struct GmailProvider.GmailSession", false), ("MailModel", "import Logging", false),
            ("HTTPTransport", "import MailModel", false), ("HTTPTransport", "import CCurl", true),
            ("Unknown", "import MailModel", false), ("MailSync", "// import GRDB", true),
        ])
    func imports(target: String, line: String, isAllowed: Bool) {
        let file = source("\n\(line)\n", path: "Sources/\(target)/Some.swift")
        let violations = ImportRules.violations(in: file)
        #expect(violations.isEmpty == isAllowed)
        #expect(violations.allSatisfy { $0.line == 2 })
    }

    @Test("a C module with two importers, or none, is found")
    func cModules() {
        let one = source("import CCurl", path: "Sources/HTTPTransport/A.swift")
        let other = source("import CCurl", path: "Tests/HTTPTransportTests/B.swift")
        #expect(ImportRules.violations(cModules: ["CCurl"], files: [one, one]).isEmpty)
        #expect(ImportRules.violations(cModules: ["CCurl"], files: [one, other]).count == 1)
        #expect(ImportRules.violations(cModules: ["CCurl"], files: []).count == 1)
    }

    @Test("long files are found")
    func fileLength() {
        #expect(StyleRules.fileLength(source(String(repeating: "\n", count: 600))).isEmpty)
        #expect(StyleRules.fileLength(source(String(repeating: "\n", count: 601))).count == 1)
    }

    @Test(
        "long functions are found",
        arguments: [
            "func f() {", "public init(\n  a: Int = g({ 1 }),\n  b: Int\n) async throws {", "deinit {",
            "init?(x: Int) {",
            "func g<T>(_ x: T) -> [Int]\nwhere T: P {",
        ])
    func functionLength(start: String) {
        let lines = start.split(separator: "\n").count
        let fits = start + String(repeating: "\nif x { y() }", count: 69 - lines) + "\n}"
        let exceeds = start + String(repeating: "\nif x { y() }", count: 70 - lines) + "\n}"
        #expect(StyleRules.functionLength(source(fits)).isEmpty)
        #expect(StyleRules.functionLength(source(exceeds)).count == 1)
    }

    @Test("requirements of protocols have no body, calls of initialisers are no functions")
    func functionsWithoutBody() {
        let file = source(
            "protocol P {\n  func a() throws\n  init()\n  var b: Int { get }\n}\nlet x = P.init() ; self.init()")
        #expect(StyleRules.functions(in: file).isEmpty)
        #expect(StyleRules.functions(in: source("func a() { b() }\nfunc c() {\n}")) == [0...0, 1...2])
    }

    @Test(
        "banned calls are found in sources",
        arguments: [
            "try! f()", "x as! Y", "fatalError()", "print(x)", "Task.detached { }", "let now = Date()",
            "try await Task.sleep(for: x)",
            "Date.now",
        ])
    func bannedInSources(line: String) { #expect(StyleRules.bannedCalls(source("a\n\(line)")).map(\.line) == [2]) }

    @Test(
        "banned calls are found in tests",
        arguments: ["try! f()", "try await Task.sleep(for: x)", "usleep(3)", "Thread.sleep(1)"])
    func bannedInTests(line: String) {
        #expect(StyleRules.bannedCalls(source(line, path: "Tests/MailSyncTests/Some.swift")).count == 1)
    }

    @Test(
        "what is allowed is not found",
        arguments: [
            "try f()", "let s = \"try! print(\"", "// print(x)", "time.sleep(for: x)", "Date(timeIntervalSince1970: 0)",
        ])
    func notBanned(line: String) { #expect(StyleRules.violations(in: source(line)).isEmpty) }

    @Test("the program itself prints")
    func printing() { #expect(StyleRules.bannedCalls(source("print(x)", path: "Sources/mailsync/A.swift")).isEmpty) }

    @Test(
        "tasks without an owner are found",
        arguments: ["Task { f() }", "_ = Task { f() }", "Task<Void, Never> { f() }", "Task(priority: .low) { f() }"])
    func unownedTasks(line: String) {
        #expect(StyleRules.ownedTasks(source("  " + line)).count == 1)
        #expect(StyleRules.ownedTasks(source("// owner: the loop, which awaits it\n" + line)).isEmpty)
    }

    @Test(
        "tasks with an owner are not",
        arguments: [
            "let x = Task { f() }", "self.x = Task { f() }", "group.addTask { f() }", "tasks.append(Task { f() })",
        ])
    func ownedTasks(line: String) { #expect(StyleRules.ownedTasks(source(line)).isEmpty) }

    @Test(
        "unchecked promises without a reason are found",
        arguments: ["final class A: @unchecked Sendable {", "nonisolated(unsafe) var x = 1"])
    func invariants(line: String) {
        #expect(StyleRules.statedInvariants(source("import X\n\n" + line)).count == 1)
        #expect(StyleRules.statedInvariants(source("/// Invariant: one thread.\n@frozen\n" + line)).isEmpty)
        #expect(StyleRules.statedInvariants(source("// about something else\n\n" + line)).count == 1)
    }

    @Test("unfinished work is found", arguments: ["// TODO: later", "/* FIXME */", "let a = 1 // TODO"])
    func unfinished(line: String) { #expect(StyleRules.finishedWork(source(line)).count == 1) }

    @Test(
        "public declarations without documentation are found",
        arguments: [
            "public func f() {}", "public static var x: Int { 1 }", "    public final class A {",
            "public init(a: Int) throws {",
            "public init?(\n  a: Int\n) {", "@MainActor public var x: Int { 1 }", "// plain\npublic struct S {",
            "public protocol P {",
            "public enum E {", "public var x: Int {", "public typealias T = Int", "public subscript(i: Int) -> Int {",
            "public init(\n a: Int\n) throws(E) {",
            "/// Of another.\n\npublic func f()", "/// It.\npublic let x = 1\n\npublic func f()", "public actor A {",
            "public nonisolated func f()",
        ])
    func undocumented(text: String) {
        #expect(DocumentationRule.violations(in: source(text), requirements: ["required"]).count == 1)
    }

    @Test(
        "documented and exempt ones are not",
        arguments: [
            "/// It.\npublic func f() {}",
            "/// They.\npublic func required() {}\npublic func f() { 1 }",
            "/// It.\n@discardableResult\npublic func f() {}", "func f() {}",
            "public init(a: Int) {",
            "public extension A {", "public var description: String { \"\" }", "public func required() {}",
            "public import Foundation",
            "public static func == (a: A, b: A) -> Bool {", "public func hash(into hasher: inout Hasher) {", "case a",
            "public init(from decoder: any Decoder) throws {", "public private(set) var x = 1",
            "public var x: [Int] = []", "let descriptor = open(path)",
        ])
    func documented(text: String) {
        #expect(DocumentationRule.violations(in: source(text), requirements: ["required"]).isEmpty)
    }

    @Test("requirements are the members of protocols")
    func requirements() {
        let file = source(
            "protocol P: Q {\n  var a: Int { get }\n  func b(c: Int)\n}\nstruct S {\n  func d() {}\n}\nprotocol E {}\nlet f = 1"
        )
        #expect(DocumentationRule.requirements(of: [file]) == ["a", "b"])
    }

    @Test(
        "machines' paths and registries are found",
        arguments: ["see /wo" + "rk/x", "https://pypi" + ".org/simple", "pip --index" + "-url=x"])
    func repository(line: String) {
        #expect(RepositoryRules.violations(path: "README.md", text: "fine\n\(line)").map(\.line) == [2])
        #expect(
            RepositoryRules.violations(path: "README.md", text: "https://developers.google.com/workspace/gmail").isEmpty
        )
    }
}
