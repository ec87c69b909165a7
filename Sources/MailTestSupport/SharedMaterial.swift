import Foundation

/// Reference material outside the repository: real mail and the providers' machine-readable descriptions. Tests
/// that need it skip, with a printed reason, where it is absent.
public enum SharedMaterial {
    /// `MAIL_CORPUS`, or `../shared/corpus` from the package's root.
    public static let corpus = directory(variable: "MAIL_CORPUS", name: "corpus")
    /// `MAIL_SPECS`, or `../shared/specs` from the package's root.
    public static let specs = directory(variable: "MAIL_SPECS", name: "specs")

    /// The package's root directory.
    public static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    private static func directory(variable: String, name: String) -> String? {
        let named = ProcessInfo.processInfo.environment[variable]
        let path = named ?? "\(packageRoot)/../shared/\(name)"
        guard FileManager.default.fileExists(atPath: path) else {
            FileHandle.standardError.write(
                Data("skipping tests on \(name): \(path) is not there (set \(variable))\n".utf8))
            return nil
        }
        return path
    }
}
