import HTTPTransport
import Logging
import Testing

@testable import ProviderEmulator

@Suite struct ProviderEmulatorTests {
    private var quiet: Logger {
        var logger = Logger(label: "emulator-tests")
        logger.logLevel = .critical
        return logger
    }

    @Test func aTakenPortIsAnErrorOfTheStart() async throws {
        let first = try await ProviderEmulator.start(logger: quiet)
        var configuration = EmulatorConfiguration()
        configuration.port = try #require(first.baseURL.split(separator: ":").last.flatMap { Int($0) })
        await #expect(throws: (any Error).self) { try await ProviderEmulator.start(configuration, logger: quiet) }
        await first.shutdown()
        let second = try await ProviderEmulator.start(configuration, logger: quiet)
        #expect(second.baseURL == first.baseURL)
        await second.shutdown()
    }

    @Test func shutdownEndsStalledAnswersToo() async throws {
        try await EmulatorFixture.run { fixture in
            fixture.google.faults.add(Fault(.gmail(.getProfile), .stall))
            let (reached, reach) = AsyncStream.makeStream(of: Void.self)
            let request = Task {
                reach.finish()
                return try await fixture.gmail("profile").status
            }
            for await _ in reached {}
            // Once the fault is used up, the request is in the emulator's hands.
            while fixture.google.faults.struck == 0 { await Task.yield() }
            await fixture.emulator.shutdown()
            await #expect(throws: (any Error).self) { try await request.value }
        }
    }

    @Test func urlsAreWhatTheServiceIsConfiguredWith() async throws {
        try await EmulatorFixture.run { fixture in
            let emulator = fixture.emulator
            #expect(emulator.baseURL.hasPrefix("http://127.0.0.1:"))
            #expect(emulator.tokenURL == emulator.baseURL + "/oauth/google/token")
            #expect(emulator.revokeURL == emulator.baseURL + "/oauth/google/revoke")
            #expect(emulator.jwksURL == emulator.baseURL + "/auth/jwks")
            #expect(emulator.issuer.origin == emulator.baseURL)
            let response = try await fixture.send(.get, "/auth/jwks")
            #expect(response.status == 200)
        }
    }

    @Test func theSameSeedMakesTheSameIDs() async throws {
        var seen: [[String]] = []
        for _ in 0..<2 {
            try await EmulatorFixture.run { fixture in
                for name in ["a", "b", "c"] { try fixture.deliver(name) }
                seen.append(try fixture.google.messageIDs(of: EmulatorFixture.address))
            }
        }
        #expect(seen[0] == seen[1])
        #expect(seen[0].count == 3)
    }

    @Test func idsGrowWithDateAndArrival() async throws {
        try await EmulatorFixture.run { fixture in
            let first = try fixture.deliver("a")
            let second = try fixture.deliver("b")
            let old = try fixture.deliver("c", extra: "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\n")
            let future = try fixture.deliver("d", extra: "Date: Mon, 1 Jan 2080 00:00:00 +0000\r\n")
            #expect(try fixture.google.messageIDs(of: EmulatorFixture.address) == [old, first, second, future])
            let date = try fixture.google.snapshot(EmulatorFixture.address)[future]?.internalDate
            #expect(date == 1_767_225_600)
            #expect(throws: EmulatorError.noLabel("Nope")) { try fixture.deliver("e", labels: ["Nope"]) }
        }
    }

    @Test func unknownThingsAreNamed() async throws {
        try await EmulatorFixture.run { fixture in
            let google = fixture.google
            #expect(throws: EmulatorError.noMailbox("x@y")) { try google.messageIDs(of: "x@y") }
            #expect(throws: EmulatorError.mailboxExists("ANN@example.net")) {
                try google.createMailbox("ANN@example.net")
            }
            #expect(throws: EmulatorError.noMessage("zz")) { try google.trash("zz", in: EmulatorFixture.address) }
            #expect(throws: EmulatorError.noMessage("ff")) {
                try google.rawMessage("ff", in: EmulatorFixture.address)
            }
            #expect(EmulatorError.noMessage("ff").description == "the mailbox has no message ff")
            #expect(throws: EmulatorError.labelExists("INBOX")) {
                try google.createLabel("INBOX", in: EmulatorFixture.address)
            }
            try fixture.deliver("still works")
        }
    }
}
