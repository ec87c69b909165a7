import Logging
import MailModel
import MailTestSupport
import Synchronization
import Testing

@testable import MailStore

@Suite struct UserStoresTests {
    private func key(_ number: Int) throws -> AccountKey {
        AccountKey(user: try UserID("u\(number)"), provider: .google, inbox: .primary)
    }

    private func stores(_ directory: TemporaryDirectory, openMax: Int = 3) -> UserStores {
        UserStores(
            directory: directory.path + "/users", openMax: openMax, time: ManualTime(), logger: Logger(label: "test"))
    }

    private func follow(_ key: AccountKey, in stores: UserStores) async throws {
        try await stores.use(key.user) {
            try await $0.write { try $0.follow(key, mailbox: "m", cursor: .init(""), estimatedTotal: 0, at: 1) }
        }
    }

    private func drain(_ user: UserID, in stores: UserStores) async throws {
        try await stores.use(user) {
            try await $0.write { try $0.confirm(through: 1, streamSequence: 1, stream: nil, at: 1) }
        }
    }

    @Test func theLeastRecentlyUsedIsClosed() async throws {
        let stores = stores(try TemporaryDirectory())
        for number in 0..<10 {
            try await follow(key(number), in: stores)
            #expect(await stores.openFiles == min(number + 1, 3))
        }
        let open = await stores.slots.keys.map(\.encoded).sorted()
        #expect(open == ["u7", "u8", "u9"])
        try await stores.use(key(7).user) { _ in }
        try await follow(key(0), in: stores)
        let after = await stores.slots.keys.map(\.encoded).sorted()
        #expect(after == ["u0", "u7", "u9"])
        await stores.close()
        #expect(await stores.openFiles == 0)
    }

    @Test func aStoreInUseStaysOpen() async throws {
        let stores = stores(try TemporaryDirectory(), openMax: 1)
        let (pinned, other) = (try key(0), try key(1))
        try await follow(pinned, in: stores)
        let events = try await stores.use(pinned.user) { store in
            try await follow(other, in: stores)
            try await follow(other, in: stores)
            return try await store.read { try $0.events(after: 0, limit: 9).count }
        }
        #expect(events == 1)
        try await follow(key(2), in: stores)
        #expect(await stores.openFiles == 1)
        await stores.close()
    }

    @Test func manyUsersAtOnceGetTheirOwnStore() async throws {
        let directory = try TemporaryDirectory()
        let stores = stores(directory, openMax: 4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                let key = try key(number % 20)
                group.addTask {
                    try await stores.use(key.user) { store in
                        _ = try await store.write { transaction in
                            try transaction.follow(key, mailbox: "m", cursor: .init(""), estimatedTotal: 0, at: 1)
                            return try transaction.apply(.of([.new("m\(number)")]), to: key, at: 2)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        for number in 0..<20 {
            let seqs = try await stores.use(key(number).user) {
                try await $0.read { try $0.events(after: 0, limit: 99).map(\.seq) }
            }
            #expect(seqs == Array(1...11))
        }
        #expect(await stores.openFiles <= 4)
        await stores.close()
    }

    @Test func onlyExistingStoresAreUsedWhenAsked() async throws {
        let stores = stores(try TemporaryDirectory())
        let known = try key(0)
        try await follow(known, in: stores)
        #expect(try await stores.useExisting(key(1).user) { _ in 1 } == nil)
        #expect(try await stores.useExisting(known.user) { _ in 1 } == 1)
        #expect(try await stores.users() == [known.user])
        await stores.close()
    }

    @Test func usersWithUnpublishedEventsAreRemembered() async throws {
        let directory = try TemporaryDirectory()
        let first = stores(directory)
        for number in 0..<2 { try await follow(key(number), in: first) }
        try await drain(key(0).user, in: first)
        await first.close()
        let second = stores(directory)
        #expect(try await second.usersLeftDirty().map(\.encoded) == ["u1"])
        try await drain(key(1).user, in: second)
        await second.close()
        #expect(try await stores(directory).usersLeftDirty() == [])
    }

    @Test func aUserWhoWasClosedToMakeRoomSurvivesAKill() async throws {
        let directory = try TemporaryDirectory()
        let killed = stores(directory, openMax: 1)
        for number in 0..<3 { try await follow(key(number), in: killed) }
        // No close: u0 and u1 were closed properly, so no -wal tells of them; u2 is still open.
        let next = stores(directory)
        #expect(try await next.usersLeftDirty().map(\.encoded) == ["u0", "u1", "u2"])
        await killed.close()
    }

    @Test func nothingIsOpenedAfterTheClose() async throws {
        let stores = stores(try TemporaryDirectory())
        try await follow(key(0), in: stores)
        await stores.close()
        await #expect(throws: StoreFailure.closed) { try await stores.use(key(0).user) { _ in } }
    }

    @Test func closingWaitsForWhoeverUsesAStore() async throws {
        let stores = stores(try TemporaryDirectory())
        let key = try key(0)
        try await follow(key, in: stores)
        let (started, release) = (AsyncStream<Void>.makeStream(), AsyncStream<Void>.makeStream())
        async let used: Int = stores.use(key.user) { store in
            started.continuation.yield()
            for await _ in release.stream { break }
            return try await store.read { try $0.events(after: 0, limit: 9).count }
        }
        for await _ in started.stream { break }
        async let closed: Void = stores.close()
        while await !stores.isClosed { await Task.yield() }
        release.continuation.yield()
        #expect(try await used == 1)
        await closed
        #expect(await stores.openFiles == 0)
    }

    @Test func anErrorOfTheFloorReachesTheCallerAndIsTriedAgain() async throws {
        struct NoRegistry: Error {}
        let fails = Mutex(true)
        let stores = UserStores(
            directory: try TemporaryDirectory().path + "/users", time: ManualTime(), logger: Logger(label: "test"),
            floor: { _ in
                if fails.withLock({ $0 }) { throw NoRegistry() }
                return .none
            })
        let user = try key(0).user
        await #expect(throws: NoRegistry.self) { try await stores.use(user) { _ in } }
        #expect(await stores.openFiles == 0)
        fails.withLock { $0 = false }
        try await stores.use(user) { _ in }
        await stores.close()
    }

    @Test func aCancelledWriteIsUndoneOrDone() async throws {
        let fixture = try await StoreFixture().follow()
        let task = Task { try await fixture.apply(.of((0..<500).map { .new("m\($0)") })) }
        task.cancel()
        let result = await task.result
        let events = try await fixture.events().count
        switch result {
        case .success: #expect(events == 501)
        case .failure(let error):
            #expect(error is CancellationError)
            #expect(events == 1)
        }
        #expect(try await fixture.apply(.new("z")).received == 1)
    }
}
