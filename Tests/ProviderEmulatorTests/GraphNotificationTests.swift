import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

/// What subscriptions are told.
@Suite(.timeLimit(.minutes(2))) struct GraphNotificationTests {
    private let address = GraphFixture.address

    @Test func everyChangeIsTold() async throws {
        try await SubscriptionFixture.run { fixture in
            try fixture.graph.deliver("before")
            let id = try #require(try await fixture.subscribe()["id"] as? String)
            let message = try fixture.graph.deliver("new")
            #expect(await fixture.told().events == ["created", "updated"])
            try fixture.microsoft.setRead(message, true, in: address)
            #expect(await fixture.told().events == ["created", "updated", "updated"])
            // A move is a deletion, too.
            try fixture.microsoft.move(message, to: "archive", in: address)
            #expect(await fixture.told().events == ["created", "created", "deleted", "updated", "updated"])
            try fixture.microsoft.delete(message, in: address)
            let told = await fixture.told()
            #expect(told.events == ["created", "created", "deleted", "deleted", "updated", "updated"])
            #expect(told.resourceIDs == [message] && Set(told.compactMap { $0["subscriptionId"] as? String }) == [id])
            #expect(Set(told.compactMap { $0["clientState"] as? String }) == ["state"])
            // What changes nothing is not told.
            try fixture.microsoft.createFolder("Clients", in: address)
            #expect(await fixture.told().count == told.count)
        }
    }

    @Test func aRemovedFolderTellsOfItsMessages() async throws {
        try await SubscriptionFixture.run { fixture in
            let folder = try fixture.microsoft.createFolder("Clients", in: address)
            let ids = try (0..<3).map { try fixture.graph.deliver("m\($0)", folder: folder) }
            try await fixture.subscribe()
            try fixture.microsoft.deleteFolder(folder, in: address)
            let told = await fixture.told()
            #expect(told.events == ["deleted", "deleted", "deleted"] && told.resourceIDs == Set(ids))
        }
    }

    @Test func onlyWhatWasAskedForIsTold() async throws {
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe([
                "changeType": "created", "resource": "/me/mailFolders('inbox')/messages", "clientState": nil,
            ])
            let first = try fixture.graph.deliver("in the inbox")
            try fixture.graph.deliver("elsewhere", folder: "archive")
            try fixture.microsoft.move(first, to: "archive", in: address)
            let told = await fixture.told()
            #expect(told.events == ["created"] && told.resourceIDs == [first])
            #expect(told[0]["clientState"] is NSNull)
        }
    }

    @Test func idsAreOfTheKindThatWasAskedFor() async throws {
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe(isImmutable: false)
            let message = try fixture.graph.deliver("new")
            let ids = await fixture.told().resourceIDs
            #expect(ids.count == 1 && !ids.contains(message))
            let found = try await fixture.graph.get("/me/messages/\(try #require(ids.first))")
            #expect(try found.object()["id"] as? String == message)
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func postsFitTheSchemaAndTheSamples() async throws {
        let schema = try GraphSchema()
        let samples = try ["message-created", "lifecycle"].map { name in
            let path = "\(SharedMaterial.specs ?? "")/graph/docs-samples/notification-\(name).json"
            let body = try Data(contentsOf: URL(filePath: path))
            let object = try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any])
            return try #require((object["value"] as? [[String: Any]])?.first)
        }
        try await SubscriptionFixture.run { fixture in
            try await fixture.subscribe()
            for index in 0..<10 { try fixture.graph.deliver("m\(index)") }
            for event in GraphLifecycleEvent.allCases { try fixture.microsoft.sendLifecycle(event, to: address) }
            let told = await fixture.told()
            #expect(told.count == 22, "nothing is sent after a removal")
            for entry in told {
                let sample = entry["lifecycleEvent"] == nil ? samples[0] : samples[1]
                #expect(Set(entry.keys).isSubset(of: sample.keys))
                #expect(schema.misfits(entry.filter { $0.key != "resourceData" }, "changeNotification") == [])
                guard let data = entry["resourceData"] as? [String: Any] else { continue }
                #expect(Set(data.keys) == Set((sample["resourceData"] as? [String: Any])?.keys.map { $0 } ?? []))
            }
            // Graph writes names now in one case, now in the other.
            let types = Set(told.compactMap { ($0["resourceData"] as? [String: Any])?["@odata.type"] as? String })
            #expect(types == ["#Microsoft.Graph.Message", "#microsoft.graph.message"])
            let resources = Set(told.compactMap { ($0["resource"] as? String)?.prefix(5) })
            #expect(resources == ["Users", "users"])
        }
    }

    @Test func severalMailboxesAndTenantsShareAPost() async throws {
        try await SubscriptionFixture.run(configure: { $0.microsoft.subscriptions.entriesPerPostMax = 50 }) { fixture in
            try await fixture.subscribe()
            for index in 0..<10 {
                let other = "user\(index)@tenant\(index).example"
                try fixture.microsoft.createMailbox(other)
                try await fixture.subscribe(token: try fixture.microsoft.grant(other).accessToken)
            }
            fixture.microsoft.holdNotifications()
            for index in 0..<10 {
                try fixture.microsoft.deliver(
                    Array("Subject: x\r\n\r\n".utf8), to: "user\(index)@tenant\(index).example")
            }
            #expect(await fixture.told().isEmpty)
            fixture.microsoft.releaseNotifications()
            let told = await fixture.told()
            #expect(told.count == 20 && Set(told.compactMap { $0["tenantId"] as? String }).count == 10)
            #expect(fixture.endpoint.notifications.count < 20)
            try fixture.graph.deliver("at once again")
            #expect(await fixture.told().count == 22)
        }
    }

    // MARK: Lifecycle

    @Test func lifecycleEventsDoWhatTheySay() async throws {
        try await SubscriptionFixture.run { fixture in
            let lifecycle = try GraphEndpoint()
            let made = try await fixture.subscribe(["lifecycleNotificationUrl": lifecycle.url])
            let id = try #require(made["id"] as? String)
            try fixture.microsoft.sendLifecycle(.missed, to: address)
            try fixture.microsoft.sendLifecycle(.reauthorizationRequired, to: address)
            try fixture.graph.deliver("not told")
            #expect(await fixture.told().isEmpty)
            #expect(try await fixture.call(.post, "/\(id)/reauthorize", "").status == 204)
            try fixture.graph.deliver("told")
            #expect(await fixture.told().count == 2)
            try fixture.microsoft.sendLifecycle(.reauthorizationRequired, to: address)
            let renewal = #"{"expirationDateTime":"2026-01-01T02:00:00Z"}"#
            #expect(try await fixture.call(.patch, "/\(id)", renewal).status == 200)
            try fixture.graph.deliver("told again")
            #expect(await fixture.told().count == 4)
            try fixture.microsoft.sendLifecycle(.subscriptionRemoved, to: address)
            #expect(try await fixture.call(.get, "/\(id)").status == 404)
            await fixture.graph.base.emulator.courier.untilIdle()
            let events = lifecycle.notifications.flatMap(\.entries).events
            #expect(
                events == ["missed", "reauthorizationRequired", "reauthorizationRequired", "subscriptionRemoved"])
        }
    }

    @Test func whatIsGivenUpIsToldAsMissed() async throws {
        let endpoint = try GraphEndpoint { number, post in
            // The handshakes work, the notification does not, what follows does.
            number == 3 ? .status(503) : GraphEndpoint.standard(number, post)
        }
        let configure: (inout EmulatorConfiguration) -> Void = {
            $0.microsoft.subscriptions.delivery.triesMax = 1
            $0.microsoft.subscriptions.entriesPerPostMax = 50
        }
        try await SubscriptionFixture.run(endpoint, configure: configure) { fixture in
            try await fixture.subscribe(["changeType": "created"])
            try fixture.graph.deliver("lost")
            await endpoint.received(4)
            #expect(await fixture.told().events == ["created", "missed"])
            #expect(fixture.graph.base.emulator.courier.stats.givenUp == 1)
        }
    }

    @Test func whatIsRefusedIsSentAgain() async throws {
        let endpoint = try GraphEndpoint { number, post in
            (3...4).contains(number) ? .status(500) : GraphEndpoint.standard(number, post)
        }
        try await SubscriptionFixture.run(endpoint) { fixture in
            try await fixture.subscribe(["changeType": "created"])
            try fixture.graph.deliver("again")
            for wait: Duration in [.seconds(1), .seconds(2)] {
                await fixture.graph.base.time.waitForSleepers()
                fixture.graph.base.time.advance(by: wait)
            }
            #expect(await fixture.told().count == 3)
            #expect(fixture.graph.base.emulator.courier.stats.acknowledged == 1)
        }
    }

    // MARK: Faults

    @Test func pushesMeetFaults() async throws {
        try await SubscriptionFixture.run { fixture in
            let faults = fixture.graph.base.emulator.courier.faults
            try await fixture.subscribe(["changeType": "created"])
            faults.add(Fault(.push, mailbox: address, .drop))
            try fixture.graph.deliver("lost")
            #expect(await fixture.told().isEmpty)
            faults.add(Fault(.push, .double))
            try fixture.graph.deliver("twice")
            #expect(await fixture.told().count == 2)
            faults.add(Fault(.push, .forge))
            try fixture.graph.deliver("forged")
            let states = await fixture.told().compactMap { $0["clientState"] as? String }
            #expect(states.count == 4 && states.filter { $0 == "state" }.count == 3)
            #expect(states.contains { $0.hasPrefix("forged") })
            faults.add(Fault(.push, .garbage))
            try fixture.graph.deliver("garbage")
            #expect(await fixture.told().count == 4 && fixture.endpoint.notifications.count == 5)
        }
    }

    @Test func theSameSeedTellsTheSame() async throws {
        var runs: [[[UInt8]]] = []
        for _ in 0..<2 {
            try await SubscriptionFixture.run(configure: { $0.seed = 7 }) { fixture in
                try await fixture.subscribe()
                for index in 0..<5 {
                    try fixture.graph.deliver("m\(index)")
                    await fixture.graph.base.emulator.courier.untilIdle()
                }
                runs.append(fixture.endpoint.notifications.map(\.body).sorted { $0.lexicographicallyPrecedes($1) })
            }
        }
        #expect(runs.count == 2 && runs[0] == runs[1])
    }

    // MARK: Commands

    @Test func commandsReachSubscriptions() async throws {
        try await SubscriptionFixture.run { fixture in
            let id = try #require(try await fixture.subscribe()["id"] as? String)
            func command(_ text: String) throws -> String {
                try EmulatorCommand.parse(text).apply(to: fixture.microsoft, mailbox: address)
            }
            #expect(try command("subscriptions").contains(id))
            #expect(try command("lifecycle reauthorizationrequired").contains("told"))
            #expect(try command("subscriptions").contains("paused"))
            _ = try command("lifecycle subscriptionRemoved")
            #expect(try command("subscriptions") == "no subscriptions")
            #expect(throws: EmulatorCommand.Invalid.self) { try command("lifecycle never") }
            #expect(throws: EmulatorError.self) {
                try EmulatorCommand.subscriptions.apply(to: fixture.graph.base.google, mailbox: EmulatorFixture.address)
            }
        }
    }

    @Test func theAdminAPIReachesSubscriptions() async throws {
        try await SubscriptionFixture.run { fixture in
            let base = fixture.graph.base
            let id = try #require(try await fixture.subscribe()["id"] as? String)
            let path = "/admin/microsoft/mailboxes/\(address)"
            let shown = try await base.send(.get, "\(path)/subscriptions").object()
            #expect(shown["id"] as? String == id && shown["paused"] as? Bool == false)
            #expect(try await base.send(.post, "/admin/microsoft/hold-notifications").status == 204)
            try fixture.graph.deliver("held")
            #expect(await fixture.told().isEmpty)
            #expect(try await base.send(.post, "/admin/microsoft/release-notifications").status == 204)
            #expect(await fixture.told().count == 2)
            let missed = try await base.send(.post, "\(path)/lifecycle", body: #"{"event":"missed"}"#)
            #expect(missed.status == 204)
            #expect(await fixture.told().count == 3)
            let never = try await base.send(.post, "\(path)/lifecycle", body: #"{"event":"never"}"#)
            #expect(never.status == 400)
            #expect(try await base.send(.post, "\(path)/expire-subscriptions").status == 204)
            #expect(try await base.send(.get, "\(path)/subscriptions").text.isEmpty)
        }
    }
}
