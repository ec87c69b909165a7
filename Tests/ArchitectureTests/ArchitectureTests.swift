import Foundation
import MailTestSupport
import Testing

/// The rules of STYLE and architecture on the real files. `RuleTests` shows that each rule can fail.
@Suite("Architecture")
struct ArchitectureTests {
    @Test("the files are found")
    func files() {
        #expect(Package.sources.count > 20)
        #expect(Package.swiftFiles.contains { $0.path == "Tests/ArchitectureTests/ArchitectureTests.swift" })
    }

    @Test("targets import only what the architecture allows")
    func imports() { report(Package.sources.flatMap(ImportRules.violations)) }

    @Test("each C library is imported by exactly one target")
    func cModules() {
        let maps = Package.files { $0.hasPrefix("Sources/") && $0.hasSuffix("/module.modulemap") }
        let modules = Set(maps.map { String($0.path.split(separator: "/")[1]) })
        #expect(modules.contains("CCurl"))
        report(ImportRules.violations(cModules: modules, files: Package.swiftFiles))
    }

    @Test("the style is kept")
    func style() { report(Package.swiftFiles.flatMap(StyleRules.violations)) }

    @Test("public declarations are documented")
    func documentation() {
        let requirements = DocumentationRule.requirements(of: Package.sources)
        report(Package.sources.flatMap { DocumentationRule.violations(in: $0, requirements: requirements) })
    }

    @Test("no file names a machine's paths or registries")
    func repository() { report(Package.files { _ in true }.flatMap(RepositoryRules.violations)) }

    private func report(_ violations: [Violation], _ location: Testing.SourceLocation = #_sourceLocation) {
        for violation in violations { Issue.record("\(violation)", sourceLocation: location) }
    }
}
