import MailModel
import Testing

@testable import MailPush

@Suite struct DeskTests {
    let desk = PushDesk()

    func key(_ name: String, _ provider: ProviderKind = .microsoft) throws -> AccountKey {
        AccountKey(user: try UserID(name), provider: provider, inbox: .primary)
    }

    func grant(_ id: String, _ state: String = "state") -> PushGrant {
        PushGrant(
            subscription: PushSubscription(id: id, expiresAt: 2_000_000_000),
            digest: ClientStateDigest(of: Secret(state)))
    }

    @Test func whoKnowsTheStateIsTheProvider() throws {
        let ada = try key("ada")
        desk.assign(ada, grant("s1"))
        let forged: [Secret?] = [nil, Secret(""), Secret("stat"), Secret("state2")]
        for state in forged {
            #expect(
                desk.receive(.init(provider: .microsoft, subscription: "s1", clientState: state)) == .forged)
        }
        #expect(desk.take().announced.isEmpty)
        #expect(
            desk.receive(.init(provider: .microsoft, subscription: "s1", clientState: Secret("state"))) == .accepted)
        #expect(desk.take().announced == [ada: .changed])
        #expect(desk.counts[PushCount(provider: .microsoft, receipt: .forged)] == 4)
    }

    @Test func unknownIsCountedAndWakesNobody() throws {
        desk.assign(try key("ada"), grant("s1"))
        let strangers = [("s2", ProviderKind.microsoft), ("s1", .google), ("S1", .microsoft)]
        for (id, provider) in strangers {
            #expect(
                desk.receive(.init(provider: provider, subscription: id, clientState: Secret("state"))) == .unknown)
        }
        #expect(desk.take().announced.isEmpty)
        #expect(desk.counts[PushCount(provider: .microsoft, receipt: .unknown)] == 2)
    }

    @Test func oneAnnouncementWakesAllWhoFollowTheMailbox() throws {
        let keys = [try key("ada", .google), try key("bob", .google)]
        for key in keys { desk.assign(key, grant("x@example.com", key.user.encoded)) }
        #expect(desk.receive(.init(provider: .google, subscription: "x@example.com")) == .accepted)
        #expect(Set(desk.take().announced.keys) == Set(keys))
        desk.assign(keys[0], nil)
        #expect(desk.receive(.init(provider: .google, subscription: "x@example.com")) == .accepted)
        #expect(Array(desk.take().announced.keys) == [keys[1]])
        desk.assign(keys[1], nil)
        #expect(desk.receive(.init(provider: .google, subscription: "x@example.com")) == .unknown)
    }

    @Test func aReplacedSubscriptionIsUnknown() throws {
        let ada = try key("ada")
        desk.assign(ada, grant("old"))
        desk.assign(ada, grant("new"))
        #expect(
            desk.receive(.init(provider: .microsoft, subscription: "old", clientState: Secret("state"))) == .unknown)
        #expect(
            desk.receive(.init(provider: .microsoft, subscription: "new", clientState: Secret("state"))) == .accepted)
    }

    /// However many come, one thing waits per account.
    @Test func aStormCoalesces() async throws {
        let keys = try (0..<1000).map { try key("user-\($0)") }
        for (number, key) in keys.enumerated() { desk.assign(key, grant("s\(number)")) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { [desk] in
                    for number in 0..<1000 {
                        let push = PushAnnouncement(
                            provider: .microsoft, subscription: "s\(number)", clientState: Secret("state"))
                        _ = desk.receive(push)
                        _ = desk.receive(push)
                    }
                }
            }
        }
        let taken = desk.take()
        #expect(taken.announced.count == 1000)
        #expect(desk.take().announced.isEmpty)
        #expect(desk.counts[PushCount(provider: .microsoft, receipt: .accepted)] == 8000)
    }

    @Test func noticesOfAllKindsAreKept() throws {
        let ada = try key("ada")
        desk.assign(ada, grant("s1"))
        for notice in [PushAnnouncement.Notice.missed, .reauthorize] {
            _ = desk.receive(
                .init(provider: .microsoft, subscription: "s1", clientState: Secret("state"), notice: notice))
        }
        #expect(desk.take().announced == [ada: [.missed, .reauthorize]])
        #expect(PushNotices.missed.callsForPass && PushNotices.removed.callsForPass && PushNotices.changed.callsForPass)
        #expect(!PushNotices.reauthorize.callsForPass)
    }

    @Test func evidenceCountsForFollowedAccountsOnly() throws {
        let ada = try key("ada")
        desk.noteUnannounced(ada)
        #expect(desk.take().unannounced.isEmpty)
        desk.assign(ada, grant("s1"))
        desk.noteUnannounced(ada)
        desk.noteUnannounced(ada)
        #expect(desk.take().unannounced == [ada])
    }
}
