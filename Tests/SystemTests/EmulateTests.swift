import Foundation
import MailTestSupport
import Testing

extension SystemTests {
    /// `mailsync emulate`, as somebody develops against it.
    @Suite struct EmulateTests {
        @Test(.timeLimit(.minutes(1))) func saysAtOnceHowToBeReachedAlsoIntoAPipe() async throws {
            let directory = try TemporaryDirectory("emulate")
            let emulator = try SpawnedProgram(
                BuiltProgram.mailsync, ["emulate", "--port", "0", "--messages", "1"],
                environment: BuiltProgram.environment, output: "\(directory.path)/output")
            try await eventually("it says how to be reached", within: .seconds(40)) {
                emulator.output.contains("export BETTER_AUTH_JWKS_URL=http://127.0.0.1:")
            }
            #expect(emulator.exit == nil)
            emulator.send(SIGKILL)
            _ = await emulator.waitForExit(within: .seconds(10))
        }
    }
}
