import MailModel
import Testing

@testable import MailPush

@Suite struct FollowUpTests {
    func key(_ number: Int) -> AccountKey {
        AccountKey(user: UserID(uncheckedEncoded: "u\(number)"), provider: .google, inbox: .primary)
    }

    @Test func areTakenInTheirTime() {
        var followUps = FollowUps()
        followUps.add(key(1), at: 100)
        followUps.add(key(2), at: 200)
        #expect(followUps.take(at: 99) == [])
        #expect(followUps.nextAt == 100)
        #expect(followUps.take(at: 150) == [key(1)])
        #expect(followUps.take(at: 1000) == [key(2)])
        #expect(followUps.take(at: 1000) == [])
        #expect(followUps.nextAt == nil && followUps.count == 0)
    }

    @Test func aLaterOneReplacesTheEarlier() {
        var followUps = FollowUps()
        followUps.add(key(1), at: 100)
        followUps.add(key(1), at: 100)
        followUps.add(key(1), at: 300)
        #expect(followUps.take(at: 200) == [])
        #expect(followUps.take(at: 300) == [key(1)])
    }

    @Test func manyStayInOrderAndNothingIsKept() {
        var followUps = FollowUps()
        var taken: [AccountKey] = []
        for number in 0..<10_000 {
            followUps.add(key(number % 100), at: Int64(number))
            taken += followUps.take(at: Int64(number) - 150)
        }
        taken += followUps.take(at: .max)
        #expect(taken == (0..<100).map(key), "each once, after its last announcement")
        #expect(followUps.count == 0 && followUps.nextAt == nil)
    }
}
