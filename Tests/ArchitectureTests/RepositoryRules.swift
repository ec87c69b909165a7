/// What no file of the repository may name: where one of us works, and where our tools fetch packages. Both differ for
/// everybody else.
enum RepositoryRules {
    // In pieces, because this file is looked at as well.
    private static let banned = [
        "/wo" + "rk/", "pypi" + ".org", "python" + "hosted.org", "npmjs" + ".", "docker" + ".io", "ghcr" + ".io",
        "quay" + ".io", "crates" + ".io", "rubygems" + ".org", "proxy.golang" + ".org", "deb.debian" + ".org",
        "index" + "-url", "artifactory" + ".",
    ]

    static func violations(path: String, text: String) -> [Violation] {
        guard banned.contains(where: text.contains) else { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
            banned.filter { line.contains($0) }.map {
                Violation(path: path, line: index + 1, message: "names \($0), which is of one machine only")
            }
        }
    }
}
