import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

@testable import OutlookProvider

/// Passes that nobody asked for: only the folders that are due are asked.
@Suite struct ScheduledRoundTests {
    private static let address = OutlookFixture.address

    /// A mailbox that was read to its end, and looked at once more by the clock.
    private func live(
        _ messages: Int = 4, _ body: (OutlookFixture, [String]) async throws -> Void
    ) async throws {
        try await OutlookFixture.run({ $0.messages = messages }) { outlook in
            try await outlook.pass()
            try await body(outlook, try outlook.graph.messageIDs(of: Self.address))
        }
    }

    /// The labels of the folders that a pass of the clock asks after this time.
    private func asked(_ outlook: OutlookFixture, after wait: Duration) async throws -> Set<String> {
        outlook.time.advance(by: wait)
        let now = outlook.time.nowMilliseconds()
        try await outlook.pass(due: .standard)
        return Set(try await outlook.position().tree.folders.values.filter { $0.checkedAt == now }.map(\.label))
    }

    @Test func onlyFoldersThatAreDueAreAsked() async throws {
        try await live { outlook, _ in
            let calls = outlook.calls(.messagesDelta)
            #expect(try await asked(outlook, after: .seconds(60)) == [])
            #expect(outlook.calls(.messagesDelta) == calls)
            // Nothing changed since it was read: everything is quiet, and asked half as often as usual.
            #expect(try await asked(outlook, after: .seconds(540)) == ["INBOX"])
            #expect(outlook.calls(.messagesDelta) == calls + 1)
            try outlook.deliver()
            #expect(try await asked(outlook, after: .seconds(600)) == ["INBOX"])
            #expect(try await asked(outlook, after: .seconds(150)) == ["INBOX"], "mail came just now")
            let later = try await asked(outlook, after: .seconds(450))
            #expect(later == ["INBOX", "SENT", "DRAFT"])
            let others = try await asked(outlook, after: .seconds(1800))
            #expect(others.isSuperset(of: ["INBOX", "SENT", "DRAFT", "TRASH", "SPAM"]) && !others.contains("ARCHIVE"))
            #expect(try await asked(outlook, after: .seconds(86_400)).contains("ARCHIVE"))
            try await outlook.expectInStep()
        }
    }

    @Test func aPassThatSomebodyAskedForAsksAllFolders() async throws {
        try await live { outlook, _ in
            let id = try outlook.deliver("kept", to: "archive")
            #expect(try await outlook.news(due: .standard).isEmpty)
            #expect(try await outlook.news() == ["received \(id)"])
        }
    }

    @Test func folderByFolderTheUsersScheduleCounts() async throws {
        try await live { outlook, _ in
            let own = FolderSchedule.standard.applying(AccountSchedule(folders: ["ARCHIVE": .seconds(60)]))
            let id = try outlook.deliver("kept", to: "archive")
            outlook.time.advance(by: .seconds(60))
            #expect(try await outlook.news(due: own) == ["received \(id)"])
        }
    }

    /// What leaves a folder that is asked, for one that is not, is one update: no deletion before, and no update after.
    @Test func aMoveIntoAFolderThatIsNotAskedIsOneUpdate() async throws {
        try await live { outlook, ids in
            outlook.time.advance(by: .seconds(600))
            let lines = try await outlook.news(due: .standard) { try outlook.move(ids[0], to: "archive") }
            #expect(lines == ["updated \(ids[0]) +ARCHIVE -INBOX"])
            #expect(try await outlook.pending().isEmpty)
            #expect(try await outlook.news().isEmpty)
            try await outlook.expectInStep()
        }
    }

    @Test func aMoveOutOfAFolderThatIsNotAskedIsOneUpdate() async throws {
        try await live { outlook, ids in
            try outlook.move(ids[0], to: "archive")
            try await outlook.pass()
            outlook.time.advance(by: .seconds(600))
            let lines = try await outlook.news(due: .standard) { try outlook.move(ids[0], to: "inbox") }
            #expect(lines == ["updated \(ids[0]) +INBOX -ARCHIVE"])
            #expect(try await outlook.news().isEmpty)
            try await outlook.expectInStep()
        }
    }

    @Test func betweenFoldersThatAreNotAskedItComesLaterOnce() async throws {
        try await live { outlook, ids in
            let folder = try outlook.graph.createFolder("Projects", in: Self.address)
            try outlook.move(ids[0], to: folder)
            try await outlook.pass()
            outlook.time.advance(by: .seconds(300))
            #expect(
                try await outlook.news(due: .standard) {
                    try outlook.move(ids[0], to: "archive")
                }.isEmpty)
            outlook.time.advance(by: .seconds(3600))
            // The folder it left is due, the archive is not.
            #expect(try await outlook.news(due: .standard) == ["updated \(ids[0]) +ARCHIVE -Projects"])
            #expect(try await outlook.news().isEmpty)
            try await outlook.expectInStep()
        }
    }

    @Test func aDeletionIsOneEventWhereverItIsSeen() async throws {
        try await live { outlook, ids in
            try outlook.move(ids[1], to: "archive")
            try await outlook.pass()
            outlook.time.advance(by: .seconds(600))
            let lines = try await outlook.news(due: .standard) {
                try outlook.delete(ids[0])
                try outlook.delete(ids[1])
            }
            #expect(lines == ["deleted \(ids[0])"], "nobody asked the archive")
            #expect(try await outlook.news() == ["deleted \(ids[1])"])
            #expect(try await outlook.news().isEmpty)
        }
    }

    @Test func aNewFolderIsReadAtOnceAndARenamedOneRelabelled() async throws {
        try await live { outlook, _ in
            var (folder, id) = ("", "")
            let made = try await outlook.news(due: .standard) {
                folder = try outlook.graph.createFolder("Projects", in: Self.address)
                id = try outlook.deliver("inside", to: folder)
            }
            #expect(made == ["received \(id)"])
            let renamed = try await outlook.news(due: .standard) {
                try outlook.graph.renameFolder(folder, to: "Work", in: Self.address)
            }
            #expect(renamed == ["updated \(id) +Work -Projects"])
            #expect(
                try await outlook.news(due: .standard) { try outlook.graph.deleteFolder(folder, in: Self.address) }
                    == ["deleted \(id)"])
            try await outlook.expectInStep()
        }
    }

    /// Somebody asks while a round of the clock is under way: every folder is asked before the pass is over.
    @Test func aRoundOfTheClockBecomesAWholeOne() async throws {
        try await live { outlook, _ in
            outlook.time.advance(by: .seconds(600))
            let (first, kept) = (try outlook.deliver("new"), try outlook.deliver("kept", to: "archive"))
            let seq = try await outlook.lastSeq()
            let session = outlook.session()
            var isDue = true
            var more = true
            while more {
                let state = try await outlook.state()
                let onlyDue = isDue
                isDue = false
                more = try await outlook.stores.use(outlook.key.user) { store in
                    let known = store.known(outlook.key)
                    let batch =
                        onlyDue
                        ? try await session.dueChanges(since: state.cursor, known: known, schedule: .standard)
                        : try await session.changes(since: state.cursor, known: known)
                    _ = try await store.write { [key = outlook.key, now = outlook.time.now()] transaction in
                        try transaction.apply(batch, to: key, at: now)
                    }
                    return batch.more
                }
            }
            #expect(
                try await outlook.lines(after: seq).sorted() == ["received \(first)", "received \(kept)"].sorted())
            try await outlook.expectInStep()
        }
    }

    /// Whatever moves where, and whichever folders are asked when: after a whole round everything is right, and was said
    /// once.
    @Test(arguments: [1, 2, 3] as [UInt64]) func anyOrderOfRoundsComesToTheSame(seed: UInt64) async throws {
        try await live(12) { outlook, ids in
            var random = SeededGenerator(seed: seed)
            let folders = ["inbox", "archive", "deleteditems", "sentitems"]
            var left = ids
            for _ in 0..<25 {
                for _ in 0..<Int.random(in: 0..<4, using: &random) {
                    guard let index = left.indices.randomElement(using: &random) else { break }
                    switch Int.random(in: 0..<10, using: &random) {
                    case 0: try outlook.delete(left.remove(at: index))
                    case 1: left.append(try outlook.deliver("more", to: folders[index % folders.count]))
                    case 2...4: try outlook.graph.setFlag(left[index], .flagged, in: Self.address)
                    default: try outlook.move(left[index], to: folders[Int.random(in: 0..<4, using: &random)])
                    }
                }
                outlook.time.advance(by: .seconds(Int.random(in: 30..<1200, using: &random)))
                try await outlook.pass(due: .standard)
                #expect(try await outlook.pending().isEmpty, "seed \(seed)")
            }
            try await outlook.pass()
            try await outlook.expectInStep("seed \(seed)")
            let deleted = try await outlook.lines().filter { $0.hasPrefix("deleted") }
            #expect(Set(deleted).count == deleted.count, "seed \(seed)")
            #expect(try await outlook.news().isEmpty, "seed \(seed)")
        }
    }
}
