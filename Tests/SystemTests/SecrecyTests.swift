import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// What others on the machine can see.
    @Suite struct SecrecyTests {
        /// Tokens, secrets and mail, planted and then looked for byte by byte.
        @Test(.timeLimit(.minutes(2))) func noSecretIsLeftAnywhere() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 30)
                let operatorToken = "operator-Ohth3aeWie9queev"
                let key = String(repeating: "0f1e2d3c4b5a6978", count: 4)
                let process = try await stage.serve([
                    "LOG_LEVEL": "trace", "OPERATOR_TOKEN": operatorToken, "ENCRYPTION_KEY": key,
                ])
                let client = process.client(of: user)
                var secrets = [operatorToken, key, user.token, OAuthConfiguration().clientSecret]
                for _ in 0..<2 {
                    let grant = try await client.connect()
                    secrets += [grant.access_token, grant.refresh_token]
                }
                try await client.waitUntilLive()
                // Refreshing, and being refused, log too.
                stage.emulator.google.expireAccessTokens(of: user.address)
                let subject = "Zeppelin over Friedrichshafen"
                let id = try user.receive(subject: subject)
                let watch = try await stage.watch(user)
                try await watch.read(until: [id])
                await watch.close()
                stage.emulator.google.revokeGrant(of: user.address)
                try await eventually("the grant is gone") {
                    try await client.account()?.status == "reauth_required"
                }

                let arguments = FileManager.default.contents(atPath: "/proc/\(process.program.processID)/cmdline")
                #expect(arguments?.isEmpty == false)
                #expect(secrets.filter { Files.hold($0, arguments ?? Data()) } == [], "in the arguments")
                await process.kill()
                let log = Data(stage.log.utf8)
                #expect(log.count > 1000)
                #expect((secrets + [subject]).filter { Files.hold($0, log) } == [], "in the log")
                #expect(stage.filesHolding(secrets) == [])
            }
        }

        /// During a run and after it, also after a kill.
        @Test(.timeLimit(.minutes(2))) func nothingIsReadableByOthers() async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 30)
                let process = try await stage.serve()
                try await process.client(of: user).connect()
                try await process.client(of: user).waitUntilPublished()
                #expect(stage.readableByOthers() == [])
                await process.kill()
                #expect(stage.readableByOthers() == [])
                let again = try await stage.serve()
                #expect(await again.terminate() == .code(0))
                #expect(stage.readableByOthers() == [])
                let files = Files.all(under: stage.dataDirectory).map {
                    $0.replacing(stage.dataDirectory + "/", with: "")
                }
                #expect(
                    Set(files).isSuperset(of: ["auth.db", "encryption.key", "operator.token", "users/ada/events.db"]))
            }
        }
    }
}

extension Stage {
    /// Paths under the data directory, and itself, that others than the owner may use, with their modes.
    func readableByOthers() -> [String] {
        ([dataDirectory] + Files.all(under: dataDirectory)).compactMap { path in
            var info = stat()
            // A file that went away meanwhile is readable by nobody.
            guard lstat(path, &info) == 0, info.st_mode & 0o077 != 0 else { return nil }
            return "\(path) \(String(info.st_mode & 0o7777, radix: 8))"
        }
    }

    /// Files of the data directory in which a secret stands; those made to hold one aside.
    func filesHolding(_ secrets: [String]) -> [String] {
        let meant = ["encryption.key", "operator.token", "nats/url", "nats/server.conf"].map {
            "\(dataDirectory)/\($0)"
        }
        return Files.all(under: dataDirectory).filter { !meant.contains($0) }.flatMap { path -> [String] in
            let bytes = FileManager.default.contents(atPath: path) ?? Data()
            return secrets.filter { Files.hold($0, bytes) }.map { "\(path) holds \($0.prefix(6))…" }
        }
    }
}

private enum Files {
    /// Files and directories.
    static func all(under directory: String) -> [String] {
        (FileManager.default.subpaths(atPath: directory) ?? []).map { "\(directory)/\($0)" }
    }

    static func hold(_ text: String, _ bytes: Data) -> Bool { bytes.range(of: Data(text.utf8)) != nil }
}
