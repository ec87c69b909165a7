import MailModel
import Testing

@testable import mailsync

@Suite struct VerificationSlotsTests {
    private static let week: Int64 = 7 * 86_400

    private func account(_ number: Int) throws -> AccountKey {
        AccountKey(user: try UserID("user\(number)"), provider: .google, inbox: .primary)
    }

    @Test func anAccountHasItsOwnMomentOnceAnInterval() throws {
        let slots = VerificationSlots(intervalSeconds: Self.week, startedAt: 1_000_000)
        let account = try account(1)
        let first = slots.first(account, from: 1_000_000)
        #expect((1_000_000..<1_000_000 + Self.week).contains(first))
        #expect(slots.first(account, from: first) == first)
        #expect(slots.first(account, from: first + 1) == first + Self.week)
        #expect(
            !slots.isDue(account, verifiedAt: nil, now: first - 1) && slots.isDue(account, verifiedAt: nil, now: first))
        // Verified by hand just before: the next one is put off.
        #expect(!slots.isDue(account, verifiedAt: first - 10, now: first))
        #expect(slots.isDue(account, verifiedAt: first - 10, now: first + Self.week))
        // The service was down at that moment.
        #expect(slots.isDue(account, verifiedAt: first, now: first + Self.week + 12_345))
    }

    @Test func accountsAreSpreadOverTheInterval() throws {
        let slots = VerificationSlots(intervalSeconds: Self.week, startedAt: 0)
        var perDay = [Int](repeating: 0, count: 7)
        for number in 0..<7_000 { perDay[Int(slots.first(try account(number), from: 0) / 86_400)] += 1 }
        #expect(perDay.allSatisfy { (800...1_200).contains($0) }, "\(perDay)")
    }

    @Test func whatCouldNotBeVerifiedIsTriedAgainAfterAnHour() throws {
        var slots = VerificationSlots(intervalSeconds: Self.week, startedAt: 0)
        let account = try account(2)
        let due = slots.first(account, from: 0)
        slots.noteTried(account, at: due)
        #expect(!slots.isDue(account, verifiedAt: nil, now: due + 3_599))
        #expect(slots.isDue(account, verifiedAt: nil, now: due + 3_600))
    }

    @Test func zeroIsNever() throws {
        let slots = VerificationSlots(intervalSeconds: 0, startedAt: 0)
        #expect(!slots.isDue(try account(1), verifiedAt: nil, now: .max))
    }
}
