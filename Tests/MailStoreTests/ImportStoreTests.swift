import GRDB
import MailModel
import MailTestSupport
import Testing

@testable import MailStore

@Suite struct ImportStoreTests {
    private struct Broken: Error {}

    private func new(_ fixture: StoreFixture, _ id: String, counted: MailImport.Figures? = .init()) -> MailImport {
        MailImport(
            id: id, account: fixture.key, selection: MailSelection(from: -5, until: 10, labels: ["a", "b\u{0}c"]),
            counted: counted, atMilliseconds: fixture.time.nowMilliseconds())
    }

    private func chunk(_ ids: [String], next: String?, known: Int = 0, gaps: [String] = []) -> ImportBatch {
        ImportBatch(
            changes: ChangeBatch(
                changes: ids.map { .read(MessageMeta(id: $0, threadID: $0, date: 1, version: 1), inScope: true) },
                gaps: gaps.map { MessageGap(id: $0, reason: "garbage") }, origin: .backfill, cursor: Cursor("start"),
                phase: .live),
            next: next.map { MailModel.Cursor($0) }, listed: ids.count + gaps.count + known, known: known)
    }

    private func commit(_ fixture: StoreFixture, _ id: String, _ batch: ImportBatch) async throws -> MailImport {
        let now = fixture.time.nowMilliseconds()
        return try #require(try await fixture.write { try $0.apply(batch, of: id, atMilliseconds: now) })
    }

    @Test func aPlaceMovesOnlyWithItsMessages() async throws {
        let fixture = try await StoreFixture().follow()
        let entry = new(fixture, "one")
        try await fixture.write { try $0.start(entry) }
        #expect(try await fixture.read { try $0.mailImport("one") } == entry, "a row is the value")
        let moved = try await commit(fixture, "one", chunk(["a", "b"], next: "p2", known: 3, gaps: ["g"]))
        #expect(moved.position == Cursor("p2") && moved.state == .running)
        #expect(moved.figures == .init(listed: 6, done: 2, known: 3, failed: 1))
        await #expect(throws: Broken.self) {
            try await fixture.write { transaction in
                _ = try transaction.apply(self.chunk(["c"], next: nil), of: "one", atMilliseconds: 1)
                throw Broken()
            }
        }
        #expect(try await fixture.read { try $0.mailImport("one") } == moved)
        #expect(try await fixture.account().stored == 2)
        #expect(try await fixture.account().cursor == Cursor("start"))
        let done = try await commit(fixture, "one", chunk(["c"], next: nil))
        #expect(done.state == .completed && done.position == nil && done.finishedAt == fixture.now)
        #expect(try await commit(fixture, "one", chunk(["z"], next: "p9")) == done, "what has ended stays")
        #expect(try await fixture.account().stored == 3)
        let again = try await fixture.reopened()
        #expect(try await again.read { try $0.mailImport("one") } == done)
    }

    @Test func importsTakeTurns() async throws {
        let fixture = try await StoreFixture().follow()
        for id in ["a", "b", "c"] {
            let entry = new(fixture, id)
            try await fixture.write { try $0.start(entry) }
        }
        var turns: [String] = []
        for round in 0..<7 {
            let next = try #require(try await next(fixture))
            turns.append(next.id)
            _ = try await commit(fixture, next.id, chunk(["m\(round)"], next: "p"))
            if round == 3 { _ = try await command(fixture, .pause, "b") }
        }
        #expect(turns == ["a", "b", "c", "a", "c", "a", "c"])
        _ = try await command(fixture, .resume, "b")
        #expect(try await next(fixture)?.id == "b")
    }

    private func next(_ fixture: StoreFixture) async throws -> MailImport? {
        try await fixture.read { [key = fixture.key] in
            try $0.hasActiveImport(key) ? $0.nextImport(key) : nil
        }
    }

    private func command(_ fixture: StoreFixture, _ command: ImportCommand, _ id: String) async throws -> MailImport? {
        let now = fixture.time.nowMilliseconds()
        return try await fixture.write { try $0.command(id, command, atMilliseconds: now) }
    }

    @Test func pausingKeepsWhatIsInHandAndCancellingDropsIt() async throws {
        let fixture = try await StoreFixture().follow()
        for id in ["a", "b"] {
            let entry = new(fixture, id)
            try await fixture.write { try $0.start(entry) }
        }
        #expect(try await command(fixture, .pause, "a")?.state == .paused)
        let kept = try await commit(fixture, "a", chunk(["m1"], next: "p"))
        #expect(kept.state == .paused && kept.position == Cursor("p") && kept.figures.done == 1)
        #expect(try await command(fixture, .cancel, "b")?.state == .cancelled)
        let dropped = try await commit(fixture, "b", chunk(["m2"], next: "p"))
        #expect(dropped.state == .cancelled && dropped.figures.done == 0)
        #expect(try await fixture.account().stored == 1)
        #expect(try await next(fixture) == nil)
        #expect(try await command(fixture, .resume, "a")?.state == .running)
        #expect(try await command(fixture, .resume, "nobody") == nil)
    }

    @Test func aScanCountsFirst() async throws {
        let fixture = try await StoreFixture().follow()
        let entry = new(fixture, "a", counted: nil)
        try await fixture.write { try $0.start(entry) }
        let pages = [
            SelectionPage(ids: ["1", "2", "3"], next: Cursor("s2")), SelectionPage(ids: ["4"], next: nil),
        ]
        var states: [MailImport?] = []
        for page in pages {
            states.append(try await fixture.write { try $0.noteScanned("a", page, known: 1, atMilliseconds: 5_000) })
        }
        #expect(states[0]?.state == .scanning && states[0]?.position == Cursor("s2") && states[0]?.startedAt == nil)
        #expect(states[1]?.state == .running && states[1]?.position == nil && states[1]?.startedAt == 5)
        #expect(states[1]?.figures == .init(estimated: 4, estimatedKnown: 2))
    }

    @Test func anImpossibleImportSaysWhy() async throws {
        let fixture = try await StoreFixture().follow()
        let entry = new(fixture, "a")
        try await fixture.write { try $0.start(entry) }
        let failed = try await fixture.write { try $0.fail("a", SelectionRefusal.unknown("x"), atMilliseconds: 9_000) }
        #expect(failed?.state == .failed && failed?.errorCode == "unknown_label" && failed?.finishedAt == 9)
        #expect(failed?.error == "the mailbox has no label or folder 'x'")
    }

    @Test func gapsOfImportsAreWantedWhateverTheirDate() async throws {
        let fixture = try await StoreFixture().follow()
        let entry = new(fixture, "a")
        try await fixture.write { try $0.start(entry) }
        try await fixture.apply(
            ChangeBatch(
                gaps: [MessageGap(id: "other", reason: "x")], origin: .backfill, cursor: Cursor("c"), phase: .live))
        _ = try await commit(fixture, "a", chunk([], next: nil, gaps: ["mine"]))
        let wanted = try await fixture.read { [key = fixture.key] in
            try $0.gapsOfAnyDate(key, among: ["other", "mine", "none"])
        }
        #expect(wanted == ["mine"])
        // Failing once more changes nothing about it.
        try await fixture.apply(
            ChangeBatch(
                gaps: [MessageGap(id: "mine", reason: "y")], origin: .backfill, cursor: Cursor("c"), phase: .live))
        let still = try await fixture.read { [key = fixture.key] in try $0.gapsOfAnyDate(key, among: ["mine"]) }
        #expect(still == ["mine"])
    }

    @Test func whatARollbackTookBackIsImportedAgain() async throws {
        let fixture = try await StoreFixture().follow()
        for id in ["early", "late", "open"] {
            let entry = new(fixture, id)
            try await fixture.write { try $0.start(entry) }
        }
        _ = try await commit(fixture, "early", chunk(["a"], next: nil))
        let confirmed = try await fixture.dispatch().lastSeq
        _ = try await commit(fixture, "late", chunk(["b"], next: nil))
        _ = try await commit(fixture, "open", chunk(["c"], next: "p"))
        try await fixture.write { transaction in
            try transaction.reader.db.run("UPDATE meta SET published_seq = ?", [confirmed.databaseValue])
            _ = try StoreRollback(db: transaction.reader.db).run()
        }
        let entries = try await fixture.read { reader in
            try ["early", "late", "open"].map { try reader.mailImport($0) }
        }
        #expect(entries.map { $0?.state } == [.completed, .running, .running])
        #expect(entries.map { $0?.figures.done } == [1, 0, 0])
        #expect(entries.allSatisfy { $0?.position == nil })
    }

    @Test func anErasedAccountHasNoImports() async throws {
        let fixture = try await StoreFixture().follow()
        let entry = new(fixture, "a")
        try await fixture.write { try $0.start(entry) }
        let now = fixture.now
        try await fixture.write { [key = fixture.key] in _ = try $0.erase(key, at: now) }
        #expect(try await fixture.read { try $0.imports() }.isEmpty)
    }

    @Test func unfinishedImportsAreLimitedAndFinishedOnesForgotten() async throws {
        let fixture = try await StoreFixture().follow()
        for index in 0..<(ImportLimit.rememberedMax + 10) {
            let entry = new(fixture, "done\(index)")
            try await fixture.write { transaction in
                try transaction.start(entry)
                _ = try transaction.command(entry.id, .cancel, atMilliseconds: Int64(index) * 1000)
            }
        }
        #expect(try await fixture.read { try $0.imports().count } <= ImportLimit.rememberedMax + 1)
        for index in 0..<ImportLimit.accountMax {
            let entry = new(fixture, "open\(index)")
            try await fixture.write { try $0.start(entry) }
        }
        let entry = new(fixture, "one more")
        await #expect(throws: ImportLimit.self) { try await fixture.write { try $0.start(entry) } }
        let again = new(fixture, "open0")
        try await fixture.write { try $0.start(again) }
    }

    @Test func theRateIsThatOfTheLastWindows() {
        var pace = ImportPace()
        pace.movedAt = 1_000_000
        var read = 0
        var now: Int64 = 1_000_000
        func step(_ messages: Int, after milliseconds: Int64) {
            now += milliseconds
            pace.moved(before: read, at: now)
            read += messages
            pace.mark(read: read)
        }
        #expect(pace.perSecond(read: 0) == nil)
        for _ in 0..<60 { step(10, after: 1000) }
        #expect(abs((pace.perSecond(read: read) ?? 0) - 10) < 0.01)
        // Away for a day: counts as a minute at most.
        step(0, after: 86_400_000)
        #expect(pace.activeMilliseconds == 120_000)
        for _ in 0..<120 { step(5, after: 1000) }
        #expect(abs((pace.perSecond(read: read) ?? 0) - 5) < 0.01)
    }
}
