import MailModel
import ProviderEmulator
import Testing

@testable import OutlookProvider

/// What a live mailbox's changes become.
@Suite struct ChangesTests {
    private func live(
        _ messages: Int = 6, _ adjust: (inout OutlookFixture.Options) -> Void = { _ in },
        _ body: (OutlookFixture, [String]) async throws -> Void
    ) async throws {
        try await OutlookFixture.run({ options in
            options.messages = messages
            adjust(&options)
        }) { outlook in
            try await outlook.pass()
            try await body(outlook, try outlook.graph.messageIDs(of: OutlookFixture.address))
        }
    }

    @Test func everyChangeIsOneEvent() async throws {
        try await live { outlook, ids in
            let address = OutlookFixture.address
            var new = ""
            let lines = try await outlook.news {
                new = try outlook.deliver()
                try outlook.graph.setRead(ids[0], false, in: address)
                try outlook.graph.setFlag(ids[1], .flagged, in: address)
                try outlook.graph.setImportance(ids[2], .high, in: address)
                try outlook.graph.setCategories(ids[3], ["Blue", "UNREAD"], in: address)
                try outlook.move(ids[4], to: "deleteditems")
                try outlook.delete(ids[5])
            }
            #expect(
                lines.sorted()
                    == [
                        "received \(new)", "updated \(ids[0]) +UNREAD -", "updated \(ids[1]) +STARRED -",
                        "updated \(ids[2]) +IMPORTANT -", "updated \(ids[3]) +Blue,category:UNREAD -",
                        "updated \(ids[4]) +TRASH -INBOX", "deleted \(ids[5])",
                    ].sorted())
            #expect(try await outlook.news().isEmpty)
        }
    }

    @Test func aMoveIsOneUpdateWhicheverFolderTellsFirst() async throws {
        for held in ["inbox", "archive"] {
            try await live { outlook, ids in
                let address = OutlookFixture.address
                try outlook.graph.holdDelta(of: address, folder: held)
                let first = try await outlook.news { try outlook.move(ids[0], to: "archive") }
                try outlook.graph.releaseDelta(of: address, folder: held)
                let second = try await outlook.news()
                #expect(first + second == ["updated \(ids[0]) +ARCHIVE -INBOX"], "\(held)")
                try await outlook.expectInStep()
                #expect(try await outlook.news().isEmpty)
            }
        }
    }

    @Test func awayAndBackIsNothing() async throws {
        try await live { outlook, ids in
            let lines = try await outlook.news {
                try outlook.move(ids[0], to: "archive")
                try outlook.move(ids[0], to: "inbox")
            }
            #expect(lines.isEmpty)
            try await outlook.expectInStep()
        }
    }

    @Test func awayAndBackWithAChangeIsThatChange() async throws {
        try await live { outlook, ids in
            let lines = try await outlook.news {
                try outlook.move(ids[0], to: "archive")
                try outlook.graph.setFlag(ids[0], .flagged, in: OutlookFixture.address)
                try outlook.move(ids[0], to: "inbox")
            }
            #expect(lines == ["updated \(ids[0]) +STARRED -"])
        }
    }

    /// The removal is stored, the process dies, and the creation comes rounds later.
    @Test func aMoveInterruptedBetweenItsHalvesIsOneUpdate() async throws {
        try await live { outlook, ids in
            try outlook.graph.holdDelta(of: OutlookFixture.address, folder: "archive")
            try outlook.move(ids[0], to: "archive")
            let seq = try await outlook.lastSeq()
            // One batch of the round: the removal, and no more.
            let state = try await outlook.state()
            let session = outlook.session()
            try await outlook.stores.use(outlook.key.user) { store in
                let batch = try await session.changes(since: state.cursor, known: store.known(outlook.key))
                _ = try await store.write { [key = outlook.key, now = outlook.time.now()] transaction in
                    try transaction.apply(batch, to: key, at: now)
                }
            }
            #expect(try await outlook.pending() == [ids[0]])
            #expect(try await outlook.lines(after: seq).isEmpty)
            try await outlook.pass()
            try outlook.graph.releaseDelta(of: OutlookFixture.address, folder: "archive")
            try await outlook.pass()
            #expect(try await outlook.lines(after: seq) == ["updated \(ids[0]) +ARCHIVE -INBOX"])
            try await outlook.expectInStep()
        }
    }

    @Test func whatLeavesTheTreeIsDeletedAndMayComeBack() async throws {
        try await live { outlook, ids in
            let away = try await outlook.news { try outlook.move(ids[0], to: "recoverableitemsdeletions") }
            #expect(away == ["deleted \(ids[0])"])
            let back = try await outlook.news { try outlook.move(ids[0], to: "inbox") }
            #expect(back == ["updated \(ids[0]) + - restored"])
            try await outlook.expectInStep()
        }
    }

    @Test func mailThatComesIntoScopeIsReceived() async throws {
        try await live { outlook, _ in
            var id = ""
            let unseen = try await outlook.news { id = try outlook.deliver("spam", to: "junkemail") }
            #expect(unseen.isEmpty)
            let seen = try await outlook.news { try outlook.move(id, to: "inbox") }
            #expect(seen == ["received \(id)"])
            guard case .received(let message)? = try await outlook.events().last?.body else {
                Issue.record("not received")
                return
            }
            #expect(message.subject == "spam" && message.sender == "bob@example.org" && message.threadID != id)
        }
    }

    /// Folders tell of removals whose messages nobody knows: many of them on one page come to an end, too.
    @Test func removalsOfMailOutsideTheLimitAreNothing() async throws {
        try await live(150, { $0.since = 4_000_000_000 }) { outlook, ids in
            #expect(try await outlook.state().stored == 0)
            let lines = try await outlook.news { for id in ids { try outlook.delete(id) } }
            #expect(lines.isEmpty)
            #expect(try await outlook.news().isEmpty)
        }
    }

    @Test func mailThatComesAndGoesBetweenPassesIsNothing() async throws {
        try await live { outlook, _ in
            let lines = try await outlook.news {
                try outlook.delete(try outlook.deliver())
                try outlook.delete(try outlook.deliver(to: "archive"))
            }
            #expect(lines.isEmpty)
        }
    }

    @Test func aRenamedFolderIsAnUpdatePerMessageInBoundedBatches() async throws {
        try await OutlookFixture.run { outlook in
            let address = OutlookFixture.address
            let folder = try outlook.graph.createFolder("Old", in: address)
            let child = try outlook.graph.createFolder("Child", in: address, parent: folder)
            for index in 0..<(OutlookSession.storedMax + 20) { try outlook.deliver("\(index)", to: folder) }
            try outlook.deliver("below", to: child)
            try await outlook.pass()
            let lines = try await outlook.news { try outlook.graph.renameFolder(folder, to: "New", in: address) }
            #expect(lines.count == OutlookSession.storedMax + 21)
            #expect(lines.filter { $0.hasSuffix("+New -Old") }.count == OutlookSession.storedMax + 20)
            #expect(lines.filter { $0.hasSuffix("+New/Child -Old/Child") }.count == 1)
            try await outlook.expectInStep()
            #expect(try await outlook.news().isEmpty)
        }
    }

    @Test func newAndDeletedFolders() async throws {
        try await live { outlook, ids in
            let address = OutlookFixture.address
            var folder = ""
            var inside = ""
            let made = try await outlook.news {
                folder = try outlook.graph.createFolder("Projects", in: address)
                inside = try outlook.deliver("inside", to: folder)
                try outlook.move(ids[0], to: folder)
            }
            #expect(made.sorted() == ["received \(inside)", "updated \(ids[0]) +Projects -INBOX"].sorted())
            let events = try await outlook.events().filter { $0.line == "received \(inside)" }
            #expect(events.map(\.origin) == [.incremental])
            let gone = try await outlook.news { try outlook.graph.deleteFolder(folder, in: address) }
            #expect(gone.sorted() == ["deleted \(inside)", "deleted \(ids[0])"].sorted())
            try await outlook.expectInStep()
            #expect(try await outlook.position().tree[folder] == nil)
        }
    }

    @Test func aFolderInTheTrashIsOutOfScopeAndComesBack() async throws {
        try await live { outlook, _ in
            let address = OutlookFixture.address
            let folder = try outlook.graph.createFolder("Projects", in: address)
            let id = try outlook.deliver("one", to: folder)
            try await outlook.pass()
            let trash = try outlook.graph.folders(of: address).first { $0.wellKnownName == "deleteditems" }?.name ?? ""
            let away = try await outlook.news {
                try outlook.graph.moveFolder(folder, to: "deleteditems", in: address)
            }
            #expect(away == ["updated \(id) +\(trash)/Projects -Projects"])
            var new = ""
            let unseen = try await outlook.news { new = try outlook.deliver("two", to: folder) }
            #expect(unseen.isEmpty)
            let back = try await outlook.news {
                try outlook.graph.moveFolder(folder, to: "msgfolderroot", in: address)
            }
            #expect(
                back.sorted() == ["received \(new)", "updated \(id) +Projects -\(trash)/Projects"].sorted())
        }
    }

    /// At most four requests are in flight to a mailbox, whatever there is to do.
    @Test func fourRequestsAreInFlightAtMost() async throws {
        try await live(
            20, { options in options.emulator.latency = .milliseconds(2) }
        ) { outlook, ids in
            for index in 0..<12 { try outlook.graph.createFolder("F\(index)", in: OutlookFixture.address) }
            for id in ids.prefix(10) { try outlook.delete(id) }
            try await outlook.settle()
            try await outlook.expectInStep()
            #expect(outlook.graph.stats.statuses[429] == nil && outlook.graph.stats.concurrentMax <= 4)
        }
    }
}
