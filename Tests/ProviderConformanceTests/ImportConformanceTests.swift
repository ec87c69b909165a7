import MailModel
import MailStore
import MailTestSupport
import Testing

@testable import MailSync

/// What every adapter must do for imports.
@Suite struct ImportConformanceTests {
    /// Everything older is out of the account's scope.
    private static let since: UnixSeconds = 1_735_689_600  // 2025
    private static let year2020: UnixSeconds = 1_577_836_800
    private static let day: UnixSeconds = 86_400

    /// Old mail, a day apart, the oldest first.
    private func fill(_ run: ConformanceRun, old: Int) throws -> [String] {
        try run.mailbox.fill(5)
        return try (0..<old).map { try run.mailbox.arrive(dated: Self.year2020 + Int64($0) * Self.day) }
    }

    @Test(arguments: Adapter.allCases) func olderMailIsBroughtInOnceAndThenFollowed(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            let old = try fill(run, old: 230)
            try await run.settle()
            #expect(Set(try await run.received()).isDisjoint(with: old))
            let before = try await run.state().cursor
            let first = try await run.startImport(
                MailSelection(
                    from: Self.year2020 + 10 * Self.day - 3600, until: Self.year2020 + 219 * Self.day + 3600))
            try await run.settle()
            let wanted = Array(old[10..<220])
            #expect(Set(try await run.received()).intersection(old) == Set(wanted))
            let entry = try await run.entry(first)
            #expect(entry.state == .completed && entry.figures.done == 210 && entry.figures.listed == 210)
            #expect(entry.figures.estimated >= 210 && entry.figures.failed == 0 && entry.figures.known == 0)
            if adapter != .outlook { #expect(try await run.state().cursor == before, "an import moves no cursor") }

            // The same and more: what is stored is not read again.
            let again = try await run.startImport(MailSelection())
            try await run.settle()
            let second = try await run.entry(again)
            #expect(second.state == .completed && second.figures.done == 20 && second.figures.known >= 210)
            try await run.expectInStep()

            // From now on it is mail like any other.
            try run.mailbox.setStarred(wanted[0], true)
            try run.mailbox.delete(wanted[1])
            try run.mailbox.trash(wanted[2])
            let seq = try await run.lastSeq()
            try await run.settle()
            #expect(
                Set(try await run.events(after: seq).map(\.kindAndID))
                    == ["updated \(wanted[0])", "deleted \(wanted[1])", "updated \(wanted[2])"])
        }
    }

    @Test(arguments: Adapter.allCases) func repairAndVerificationLeaveOlderMailAlone(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            let old = try fill(run, old: 30)
            try await run.settle()
            _ = try await run.startImport(MailSelection(until: Self.year2020 + 25 * Self.day))
            try await run.settle()
            let seq = try await run.lastSeq()
            try run.mailbox.expireCursors()
            try await run.settle()
            #expect(try await run.events(after: seq).isEmpty, "nothing is missing, nothing is new")

            let findings = try await run.compare()
            #expect(findings.gone.isEmpty && findings.missing.isEmpty && findings.emitted == 0)

            // What really is gone is found, whatever its date.
            try run.mailbox.delete(old[3])
            try run.mailbox.expireCursors()
            try await run.settle()
            #expect(try await run.events(after: seq).map(\.kindAndID) == ["deleted \(old[3])"])
        }
    }

    @Test(arguments: Adapter.allCases) func anImportWhosePagesExpiredGoesOn(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            let old = try fill(run, old: 650)
            try await run.settle()
            let id = try await run.startImport(MailSelection(until: Self.since))
            for _ in 0..<120 where try await run.entry(id).figures.done < 200 { try await run.pass(slice: 1) }
            let half = try await run.entry(id)
            try #require(half.state == .running && half.figures.done >= 100)
            try run.mailbox.expirePages()
            try run.mailbox.delete(old[640])
            try run.mailbox.setStarred(old[0], true)
            try await run.settle()
            let entry = try await run.entry(id)
            #expect(entry.state == .completed)
            #expect(entry.figures.listed >= 649 && entry.figures.listed <= 650, "each message is counted once")
            try await run.expectInStep()
        }
    }

    @Test(arguments: Adapter.allCases) func aMessageThatCannotBeReadComesLater(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            let old = try fill(run, old: 8)
            try await run.settle()
            run.setUnreadable(old[4], true)
            let id = try await run.startImport(MailSelection(until: Self.since))
            try await run.settle()
            let entry = try await run.entry(id)
            #expect(entry.state == .completed && entry.figures.failed == 1 && entry.figures.done == 7)
            #expect(try await run.state().gaps == 1)
            run.setUnreadable(old[4], false)
            conformanceTime.advance(by: .seconds(24 * 3600))
            try await run.settle()
            #expect(try await run.state().gaps == 0)
            #expect(try await run.received().contains(old[4]), "wanted, whatever its date")
        }
    }

    @Test(arguments: Adapter.allCases) func onlyTheNamedFolderIsBroughtIn(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            let old = try fill(run, old: 6)
            try await run.settle()
            let id = try await run.startImport(MailSelection(labels: [adapter == .fake ? "INBOX" : "inbox"]))
            let wrong = try await run.startImport(MailSelection(labels: ["no such folder"]))
            try await run.settle()
            #expect(try await run.entry(id).figures.done == 6)
            #expect(Set(old).isSubset(of: try await run.received()))
            let failed = try await run.entry(wrong)
            #expect(failed.state == .failed && failed.errorCode == SelectionRefusal.unknownLabel)
            #expect(try await run.pass() == .caughtUp, "an impossible import is nothing the account suffers from")
        }
    }

    @Test(arguments: Adapter.allCases) func countingCountsAndStoresNothing(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter, since: Self.since) { run in
            _ = try fill(run, old: 40)
            try await run.settle()
            let seq = try await run.lastSeq()
            let session = try await run.session()
            var position: Cursor?
            var ids: Set<String> = []
            repeat {
                let page = try await session.scan(MailSelection(until: Self.since), from: position)
                #expect(page.units > 0 || page.ids.isEmpty)
                ids.formUnion(page.ids)
                position = page.next
            } while position != nil
            #expect(ids.count == 40)
            #expect(try await run.lastSeq() == seq)
        }
    }

    @Test(arguments: Adapter.allCases) func anImportDuringABackfillMakesNoGhosts(_ adapter: Adapter) async throws {
        try await ConformanceRun.on(adapter) { run in
            try run.mailbox.fill(420)
            #expect(try await run.pass(slice: 1) == .sliceOver)
            _ = try await run.startImport(MailSelection())
            let ids = try run.mailbox.inScope().sorted()
            for round in 0..<8 {
                _ = try await run.pass(slice: 2)
                try run.mailbox.delete(ids[round * 50])
                try run.mailbox.trash(ids[round * 50 + 1])
                try run.mailbox.setStarred(ids[round * 50 + 2], true)
            }
            try await run.settle()
            try await run.settle()
            try await run.expectInStep()
        }
    }
}

extension ConformanceRun {
    func startImport(_ selection: MailSelection) async throws -> String {
        let now = conformanceTime.nowMilliseconds()
        let id = "import-\(now)-\(UInt64.random(in: 0 ... .max))"
        let new = MailImport(id: id, account: account, selection: selection, atMilliseconds: now)
        try await stores.use(account.user) { store in
            try await store.write { transaction in
                do { try transaction.start(new) } catch is ImportLimit {}
            }
        }
        return id
    }

    func entry(_ id: String) async throws -> MailImport {
        let entry = try await stores.use(account.user) { store in try await store.read { try $0.mailImport(id) } }
        return try #require(entry)
    }

    func received() async throws -> [String] {
        try await events().compactMap { if case .received(let message) = $0.body { message.id } else { nil } }
    }

    func setUnreadable(_ id: String, _ isUnreadable: Bool, _ location: SourceLocation = #_sourceLocation) {
        do {
            try mailbox.setUnreadable(id, isUnreadable)
        } catch {
            Issue.record("\(error)", sourceLocation: location)
        }
    }

    /// Compares mailbox and store as verification does.
    func compare() async throws -> MailboxFindings {
        let session = try await session()
        return try await MailboxComparison(
            account: account, session: session, stores: stores, time: conformanceTime, heals: true,
            catchUp: { try await pass() }, committed: { _ in }
        ).run()
    }
}
