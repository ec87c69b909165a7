import MailModel
import ProviderEmulator
import Testing

@testable import OutlookProvider

@Suite struct BackfillTests {
    @Test func aMailboxIsReadOnceAndQuietAfterwards() async throws {
        try await OutlookFixture.run({ $0.messages = 230 }) { outlook in
            try outlook.deliver("sent", to: "sentitems")
            try outlook.deliver("junk", to: "junkemail")
            try outlook.deliver("draft", to: "drafts")
            try outlook.graph.createFolder("Projects", in: OutlookFixture.address)
            try outlook.deliver("project", to: "Projects")
            #expect(try await outlook.pass())
            try await outlook.expectInStep()
            let state = try await outlook.state()
            #expect(state.phase == .live && state.stored == 232 && state.estimatedTotal == 232)
            #expect(try await outlook.events().filter { $0.line != nil }.allSatisfy { $0.origin == .backfill })
            let seq = try await outlook.lastSeq()
            let spent = outlook.budget.takeUnits()
            for _ in 0..<3 { try await outlook.pass() }
            #expect(try await outlook.lastSeq() == seq, "a quiet mailbox emits nothing")
            #expect(spent > 0 && Set(outlook.graph.stats.statuses.keys).isSubset(of: [200, 404]))
        }
    }

    @Test func theNewestOfTheInboxComesFirst() async throws {
        try await OutlookFixture.run { outlook in
            let sent = try outlook.deliver("sent", to: "sentitems")
            let first = try outlook.deliver("first")
            let second = try outlook.deliver("second")
            try await outlook.pass()
            let lines = try await outlook.lines()
            #expect(Set(lines.prefix(2)) == ["received \(second)", "received \(first)"])
            #expect(lines.last == "received \(sent)")
        }
    }

    /// Every page's link is kept: nothing is read twice, whenever the process is stopped.
    @Test func anInterruptedBackfillGoesOnInTheMiddleOfAFolder() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 330
            options.outlook.fullPageSize = 50
        }) { outlook in
            var slices = 0
            while try await !outlook.pass(slice: 1) {
                slices += 1
                try #require(slices < 100)
            }
            #expect(slices >= 6)
            try await outlook.expectInStep()
            let full = outlook.graph.stats.requests[GraphMethod.messagesGet.rawValue] ?? 0
            #expect(full == 0, "pages carry everything")
        }
    }

    @Test func foldersAreNestedAndSearchFoldersSkipped() async throws {
        try await OutlookFixture.run { outlook in
            let parent = try outlook.graph.createFolder("A.B", in: OutlookFixture.address)
            let child = try outlook.graph.createFolder("C\\D", in: OutlookFixture.address, parent: parent)
            let hidden = try outlook.graph.createFolder("Hidden", in: OutlookFixture.address, isHidden: true)
            let inside = try outlook.graph.createFolder("Inside", in: OutlookFixture.address, parent: hidden)
            let id = try outlook.deliver("nested", to: child)
            try outlook.deliver("hidden", to: hidden)
            try outlook.deliver("inside", to: inside)
            try await outlook.pass()
            #expect(try await outlook.lines() == ["received \(id)"])
            let labels = try await outlook.events().compactMap { event -> [MailLabel]? in
                if case .account(.labels(let labels)) = event.body { labels } else { nil }
            }
            let announced = try #require(labels.last)
            #expect(announced.contains(MailLabel(id: "A.B/C\\\\D", name: "A.B/C\\D", type: "user")))
            #expect(announced.contains { $0.id == "INBOX" && $0.type == "system" })
            guard case .received(let message)? = try await outlook.events().first(where: { $0.line != nil })?.body
            else {
                Issue.record("nothing received")
                return
            }
            #expect(message.labels == ["A.B/C\\\\D", "UNREAD"])
        }
    }

    @Test func messagesBeforeSinceAreLeftOut() async throws {
        let since: UnixSeconds = 1_767_225_600
        try await OutlookFixture.run({ $0.since = since }) { outlook in
            let old = "Date: Thu, 01 Jan 2015 00:00:00 +0000\r\nSubject: old\r\n\r\nx\r\n"
            try outlook.graph.deliver(Array(old.utf8), to: OutlookFixture.address)
            try await outlook.pass()
            try await outlook.expectInStep()
        }
    }

    @Test func mailThatChangesMeanwhileIsNeitherLostNorDoubled() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 300
            options.outlook.fullPageSize = 40
        }) { outlook in
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            _ = try await outlook.pass(slice: 3)
            for index in [0, 150, 299] { try outlook.delete(ids[index]) }
            for index in [1, 151, 298] { try outlook.move(ids[index], to: "deleteditems") }
            for index in [2, 152, 297] { try outlook.move(ids[index], to: "archive") }
            try outlook.deliver()
            outlook.time.advance(by: .seconds(10))
            _ = try await outlook.pass(slice: 2)
            try outlook.move(ids[152], to: "inbox")
            try outlook.deliver()
            try await outlook.settle()
            try await outlook.expectInStep()
        }
    }

    /// Folders that expired before they were read to their end are read again; what is stored is skipped.
    @Test func anExpiredBackfillGoesOn() async throws {
        try await OutlookFixture.run({ options in
            options.messages = 300
            options.outlook.fullPageSize = 40
        }) { outlook in
            let ids = try outlook.graph.messageIDs(of: OutlookFixture.address)
            _ = try await outlook.pass(slice: 4)
            try outlook.delete(ids[290])
            try outlook.graph.expireDelta(of: OutlookFixture.address)
            try await outlook.settle()
            try await outlook.expectInStep()
            #expect(outlook.calls(.messagesGet) < 10)
        }
    }

    @Test func oddPagesLoseNothing() async throws {
        let odd: [GraphPageFault] = [
            .repeatItems, .removedThenReadded, .readdedThenRemoved, .skipTokenInDeltaLink, .ignorePageSize,
            .changedPropertiesOnly, .bothLinks,
        ]
        for fault in odd {
            try await OutlookFixture.run({ $0.messages = 120 }) { outlook in
                outlook.fault(.messagesDelta, times: nil, .page(fault))
                try await outlook.settle()
                let id = try outlook.deliver()
                try outlook.graph.setFlag(id, .flagged, in: OutlookFixture.address)
                try await outlook.settle()
                try await outlook.expectInStep("\(fault)")
                outlook.graph.faults.removeAll()
                try await outlook.settle()
                try await outlook.expectInStep("\(fault)")
                #expect(try await outlook.lines().filter { $0.hasPrefix("deleted") }.isEmpty, "\(fault)")
            }
        }
    }
}
