import Foundation
import MailTestSupport
import Testing

extension SystemTests {
    /// `mailsync demo`, as somebody on a fresh machine runs it.
    @Suite struct DemoTests {
        @Test(.timeLimit(.minutes(2))) func agreesAndExitsZero() async throws {
            let demo = try await Self.run(["--messages", "60"])
            #expect(demo.exit == .code(0), "\(demo.output)")
            #expect(demo.output.contains("provider, store and stream agree"))
            #expect(demo.output.contains("email.received"))
            #expect(!demo.output.contains("\u{1b}") && !demo.output.contains("\r"), "plain lines in a pipe")
        }

        /// The comparison notices what it is there for.
        @Test(.timeLimit(.minutes(2)), arguments: [("lost=5", "missing"), ("doubled=7", "duplicate")])
        func noticesAFault(_ fault: String, _ finding: String) async throws {
            let demo = try await Self.run(["--messages", "60", "--inject", fault])
            #expect(demo.exit == .code(1), "\(demo.output)")
            #expect(demo.output.contains("DISAGREE"), "\(demo.output)")
            #expect(demo.output.contains("\(finding): "), "\(demo.output)")
        }

        @Test(.timeLimit(.minutes(3)), .enabled(if: SharedMaterial.corpus != nil))
        func showsFiveThousandRealMessages() async throws {
            let mbox = try #require(SharedMaterial.corpus) + "/real-5k.mbox.gz"
            let demo = try await Self.run(["--mbox", mbox])
            #expect(demo.exit == .code(0), "\(demo.output)")
            #expect(demo.output.contains("agree: 5,000 message ids"), "\(demo.output)")
        }

        @Test(.timeLimit(.minutes(2)), arguments: ["/nowhere/mail.mbox", "/usr", "/dev/null", "/bin/sh"])
        func namesAnUnreadableMbox(_ path: String) async throws {
            let demo = try await Self.run(["--mbox", path])
            #expect(demo.exit == .code(1))
            #expect(demo.output.contains("cannot read \(path): "), "\(demo.output)")
        }

        /// Leaves everything running until it is told to end.
        @Test(.timeLimit(.minutes(2)), arguments: [SIGINT, SIGTERM])
        func keepsRunningUntilStopped(by signal: Int32) async throws {
            let directory = try TemporaryDirectory("demo")
            let environment = BuiltProgram.environment.merging(["TMPDIR": directory.path]) { $1 }
            let demo = try SpawnedProgram(
                BuiltProgram.mailsync, ["demo", "--messages", "30", "--keep"], environment: environment,
                output: "\(directory.path)/output")
            try await eventually("it says how to be reached", within: .seconds(60)) {
                demo.output.contains("left running")
            }
            #expect(demo.exit == nil)
            demo.send(signal)
            #expect(await demo.waitForExit(within: .seconds(20)) == .code(0), "\(demo.output)")
        }

        @Test(
            .timeLimit(.minutes(2)), arguments: [["--inject", "stolen=1"], ["--messages", "0"], ["--provider", "x"]])
        func refusesBadArguments(_ arguments: [String]) async throws {
            let demo = try await Self.run(arguments)
            #expect(demo.exit != nil && demo.exit != .code(0))
            #expect(demo.output.contains(arguments[0]), "\(demo.output)")
        }

        private static func run(_ arguments: [String]) async throws -> (exit: SpawnedProgram.Exit?, output: String) {
            let directory = try TemporaryDirectory("demo")
            let environment = BuiltProgram.environment.merging(["TMPDIR": directory.path]) { $1 }
            let program = try SpawnedProgram(
                BuiltProgram.mailsync, ["demo"] + arguments, environment: environment,
                output: "\(directory.path)/output")
            let exit = await program.waitForExit(within: .seconds(120))
            let left = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0 != "output" }
            #expect(left == [], "the demo cleans up behind itself")
            return (exit, program.output)
        }
    }
}
