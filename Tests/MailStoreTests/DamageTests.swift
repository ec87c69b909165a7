import Foundation
import GRDB
import MailModel
import MailTestSupport
import Testing

@testable import MailStore

/// Files that cannot be used, and disks that are full.
@Suite struct DamageTests {
    private func execute(_ sql: String, at path: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        try queue.close()
    }

    @Test func aFileFromTheFutureIsRefusedUntouched() async throws {
        let fixture = try await StoreFixture().follow()
        await fixture.stores.close()
        try execute("PRAGMA user_version = 99", at: fixture.path)
        let again = try StoreFixture(directory: fixture.directory)
        let failure = StoreFailure.fileFromTheFuture(
            path: fixture.path, version: 99, supported: Schema.currentVersion)
        await #expect(throws: failure) { try await again.account() }
        #expect(failure.description.contains("schema version 99"))
        try execute("PRAGMA user_version = \(Schema.currentVersion)", at: fixture.path)
        #expect(try await again.account().events == 1)
    }

    @Test func anotherProgramsDatabaseIsRefused() async throws {
        let fixture = try StoreFixture()
        let home = "\(fixture.directory.path)/users/user_abc123"
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try execute("CREATE TABLE t(a)", at: fixture.path)
        await #expect(throws: StoreFailure.notAStore(path: fixture.path)) { try await fixture.follow() }
    }

    @Test func garbageQuarantinesThatUserOnly() async throws {
        let fixture = try await StoreFixture().follow()
        await fixture.stores.close()
        try Data(repeating: 0x5a, count: 8192).write(to: URL(filePath: fixture.path))
        let again = try StoreFixture(directory: fixture.directory)
        for _ in 0..<2 {
            let error = await #expect(throws: StoreFailure.self) { try await again.account() }
            #expect(error?.quarantines == true)
        }
        #expect(await again.stores.openFiles == 0)
        let other = try UserID("other")
        #expect(try await again.stores.use(other) { try await $0.read { try $0.accounts() } } == [])
        await again.stores.close()
    }

    /// Overwrites everything after so many pages, as a broken disk might.
    private func ruin(_ path: String, after pages: Int) throws {
        let url = URL(filePath: path)
        var bytes = try Data(contentsOf: url)
        let start = pages * 4096
        bytes.replaceSubrange(start..., with: Data(repeating: 0xff, count: bytes.count - start))
        let handle = try FileHandle(forWritingTo: url)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    @Test func damageFoundWhileReadingQuarantines() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of((0..<400).map { .new("m\($0)") }))
        await fixture.stores.close()
        try ruin(fixture.path, after: 30)
        let again = try StoreFixture(directory: fixture.directory)
        #expect(try await again.account().stored == 400)
        let first = await #expect(throws: StoreFailure.self) { try await again.events() }
        #expect(first?.quarantines == true)
        await #expect(throws: first ?? .closed) { try await again.follow() }
        #expect(await again.stores.openFiles == 0)
    }

    @Test func anUncleanEndIsNoticedAndRecovered() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.new("a"))
        let copy = try copyAsAfterACrash(fixture)
        #expect(try await copy.stores.usersLeftDirty() == [fixture.user])
        #expect(try await copy.events().map(\.line) == (try await fixture.events().map(\.line)))
        #expect(try await copy.apply(.new("b")).lastSeq == 3)
        #expect(try await fixture.stores.usersLeftDirty() == [fixture.user])
    }

    @Test func damageAfterAnUncleanEndIsFoundAtOnce() async throws {
        let fixture = try await StoreFixture().follow()
        try await fixture.apply(.of((0..<400).map { .new("m\($0)") }))
        await fixture.stores.close()
        let reopened = try StoreFixture(directory: fixture.directory)
        try await reopened.apply(.new("z"))
        let copy = try copyAsAfterACrash(reopened)
        try ruin(copy.path, after: 30)
        let error = await #expect(throws: StoreFailure.self) {
            try await copy.stores.use(copy.user) { _ in }
        }
        #expect(error?.quarantines == true)
    }

    /// A copy of the directory while the file is open: what a kill leaves behind.
    private func copyAsAfterACrash(_ fixture: StoreFixture) throws -> StoreFixture {
        let directory = try TemporaryDirectory()
        try FileManager.default.copyItem(
            atPath: fixture.directory.path + "/users", toPath: directory.path + "/users")
        return try StoreFixture(directory: directory)
    }

    @Test func aFullFileIsNoDamage() async throws {
        let fixture = try await StoreFixture().follow()
        let limit = try await fixture.stores.use(fixture.user) { store in
            try await store.queue.writeWithoutTransaction { db in
                let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
                return try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages + 1)")
            }
        }
        #expect(limit != nil)
        let many = ChangeBatch.of((0..<200).map { .new("m\($0)") })
        await #expect(throws: StoreFailure.diskFull(path: fixture.path)) { try await fixture.apply(many) }
        #expect(try await fixture.events().count == 1)
        #expect(try await fixture.account().cursor == MailModel.Cursor("start"))
        try await fixture.stores.use(fixture.user) { store in
            try await store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = 1000000") }
        }
        #expect(try await fixture.apply(many).received == 200)
        #expect(try await fixture.events().map(\.seq) == Array(1...201))
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a file system needs root"))
    func aFullDiskIsNoDamage() async throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        let fixture = try await StoreFixture(directory: disk.directory).follow()
        let many = ChangeBatch.of((0..<1000).map { .new("m\($0)") })
        let ballast = disk.directory.path + "/ballast"
        try Data(count: 600_000).write(to: URL(filePath: ballast))
        await #expect(throws: StoreFailure.diskFull(path: fixture.path)) { try await fixture.apply(many) }
        #expect(try await fixture.events().count == 1)
        try FileManager.default.removeItem(atPath: ballast)
        let few = ChangeBatch.of((0..<50).map { .new("m\($0)") })
        #expect(try await fixture.apply(few).received == 50)
        #expect(try await fixture.events().map(\.seq) == Array(1...51))
        await fixture.stores.close()
    }

    @Test func twoProcessesOnOneFileAreNoticed() async throws {
        let first = try await StoreFixture().follow()
        let second = try StoreFixture(directory: first.directory)
        #expect(try await second.account().events == 1)
        try await second.apply(.new("a"))
        await #expect(throws: StoreFailure.ownedElsewhere(path: first.path)) { try await first.apply(.new("b")) }
        try await second.apply(.new("c"))
        #expect(try await second.events().map(\.seq) == [1, 2, 3])
        await second.stores.close()
        await first.stores.close()
    }
}

/// A file system in memory with little room.
final class SmallDisk {
    let directory: TemporaryDirectory

    /// Whether this process may mount one.
    static let isPermitted: Bool = {
        guard getuid() == 0, let probe = try? SmallDisk(bytes: 1 << 16) else { return false }
        return probe.directory.path.isEmpty == false
    }()

    init(bytes: Int) throws {
        directory = try TemporaryDirectory("mailsync-disk")
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw CocoaError(.fileWriteNoPermission)
        }
    }

    // A lazy unmount: nothing can be done about a failure, and the mount point is a temporary directory.
    deinit { umount2(directory.path, Int32(MNT_DETACH)) }
}
