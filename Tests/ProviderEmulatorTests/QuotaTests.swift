import Testing

@testable import ProviderEmulator

@Suite struct QuotaTests {
    @Test func unitsRunOutAndComeBack() async throws {
        try await EmulatorFixture.run {
            $0.quota = GmailQuota(unitsPerMinute: 60)
        } _: { fixture in
            let id = try fixture.deliver("a")
            for _ in 0..<3 { #expect(try await fixture.gmail("messages/\(id)").status == 200) }
            let refused = try await fixture.gmail("messages/\(id)")
            #expect(refused.status == 403)
            #expect(refused.reason == "rateLimitExceeded")
            #expect(refused.text.contains("Queries per minute per user"))
            fixture.time.advance(by: .seconds(20))
            #expect(try await fixture.gmail("messages/\(id)").status == 200)
            #expect(try await fixture.gmail("profile").status == 403)
            #expect(fixture.google.stats.units[EmulatorFixture.address] == 80)
        }
    }

    @Test func usersHaveTheirOwn() async throws {
        try await EmulatorFixture.run {
            $0.quota = GmailQuota(unitsPerMinute: 1)
        } _: { fixture in
            try fixture.google.createMailbox("bob@example.net")
            let bob = try fixture.google.grant("bob@example.net")
            #expect(try await fixture.gmail("profile").status == 200)
            #expect(try await fixture.gmail("profile").status == 403)
            #expect(try await fixture.gmail("profile", token: bob.accessToken).status == 200)
        }
    }

    @Test func costsAreThoseOf2026() {
        #expect(GmailMethod.costs2026[.messagesGet] == 20)
        #expect(GmailMethod.costs2026[.messagesList] == 5)
        #expect(GmailMethod.costs2026[.historyList] == 2)
        #expect(GmailMethod.costs2026.count == GmailMethod.allCases.count)
        #expect(GmailQuota.generation3.unitsPerMinute == 6000)
    }
}
