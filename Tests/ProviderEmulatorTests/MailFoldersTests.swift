import Foundation
import HTTPTransport
import ProviderEmulator
import Testing

@Suite struct MailFoldersTests {
    private let address = GraphFixture.address

    private func names(_ page: [String: Any]) -> [String] {
        (page["value"] as? [[String: Any]] ?? []).compactMap { $0["displayName"] as? String }
    }

    @Test func listsTheRootsVisibleChildrenByPage() async throws {
        try await GraphFixture.run { fixture in
            for index in 0..<5 { try fixture.microsoft.createFolder("Folder \(index)", in: address) }
            try fixture.microsoft.createFolder("Below", in: address, parent: "Folder 1")
            var all: [String] = []
            var next: String? = "/me/mailFolders"
            var pages: [Int] = []
            while let link = next {
                let page = try await fixture.object(link)
                pages.append(names(page).count)
                all += names(page)
                next = page["@odata.nextLink"] as? String
            }
            #expect(pages == [10, 4])
            #expect(Set(all).count == 14 && !all.contains("Below") && !all.contains("Working Set"))
            let everything = try await fixture.object("/me/mailFolders?$top=100&includeHiddenFolders=true&$count=true")
            #expect(Set(names(everything)) == Set(all).union(["Working Set"]))
            #expect(everything["@odata.count"] as? Int == 15)
            #expect(try await names(fixture.object("/me/mailFolders/root/childFolders?$top=100")) == all)
        }
    }

    @Test func oneFolderByNameOrID() async throws {
        try await GraphFixture.run { fixture in
            let parent = try fixture.microsoft.createFolder("Clients", in: address)
            let child = try fixture.microsoft.createFolder("Acme", in: address, parent: "Clients")
            try fixture.deliver("a", folder: "Clients/Acme")
            let read = try fixture.deliver("b", folder: "Clients/Acme")
            try fixture.microsoft.setRead(read, true, in: address)
            let folder = try await fixture.object("/me/mailFolders('\(child)')")
            #expect(folder["displayName"] as? String == "Acme")
            #expect(folder["parentFolderId"] as? String == parent)
            #expect(folder["totalItemCount"] as? Int == 2 && folder["unreadItemCount"] as? Int == 1)
            let children = try await fixture.object("/me/mailFolders/\(parent)/childFolders")
            #expect(names(children) == ["Acme"])
            #expect(try await fixture.object("/me/mailFolders/\(parent)")["childFolderCount"] as? Int == 1)
            let inbox = try await fixture.object("/users/\(address)/mailfolders/Inbox?$select=displayName")
            #expect(inbox.keys.sorted() == ["@odata.context", "displayName", "id"])
            for name in ["clutter", "scheduled", "syncissues"] {
                #expect(try await fixture.get("/me/mailFolders/\(name)").code == "ErrorItemNotFound")
            }
            #expect(try await fixture.get("/me/mailFolders/AAMkAGI2nonsense+id==").code == "ErrorInvalidIdMalformed")
        }
    }

    @Test func theFolderTreeByDelta() async throws {
        try await GraphFixture.run { fixture in
            let kept = try fixture.microsoft.createFolder("Kept", in: address)
            let doomed = try fixture.microsoft.createFolder("Doomed", in: address, parent: "Kept")
            let first = try await fixture.round("/me/mailFolders/delta")
            #expect(first.pages.count == 2)
            let root = try await fixture.object("/me/mailFolders/msgfolderroot")["id"] as? String
            #expect(Set(first.entries.ids).isSuperset(of: [kept, doomed]))
            #expect(!first.entries.ids.contains(root ?? "") && first.entries.count == 11)
            #expect(try await fixture.round(first.deltaLink).entries.isEmpty)
            let new = try fixture.microsoft.createFolder("New", in: address, parent: "inbox")
            try fixture.microsoft.renameFolder("Kept", to: "Renamed", in: address)
            try fixture.microsoft.deleteFolder("Renamed/Doomed", in: address)
            let second = try await fixture.round(first.deltaLink)
            #expect(second.entries.removed == [doomed])
            #expect(Set(second.entries.present) == [kept, new])
            try fixture.microsoft.moveFolder(new, to: "deleteditems", in: address)
            let third = try await fixture.round(second.deltaLink)
            let trash = try await fixture.object("/me/mailFolders/deleteditems")["id"] as? String
            #expect(third.entries.ids == [new])
            #expect(third.entries.first?["parentFolderId"] as? String == trash)
            let hidden = try await fixture.round("/me/mailFolders/delta?includeHiddenFolders=true")
            #expect(hidden.entries.contains { $0["isHidden"] as? Bool == true })
            try fixture.microsoft.expireDelta(of: address)
            #expect(try await fixture.get(third.deltaLink).status == 410)
        }
    }

    @Test func aSearchFolderShowsDuplicates() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let folders = try await fixture.object("/me/mailFolders?$top=100")["value"] as? [[String: Any]] ?? []
            let search = try #require(
                folders.first { $0["@odata.type"] as? String == "#microsoft.graph.mailSearchFolder" })
            let folder = try #require(search["id"] as? String)
            #expect(search["totalItemCount"] as? Int == 1)
            #expect(try await fixture.messagesRound(folder).entries.ids == [id])
            let list = try await fixture.object("/me/mailFolders/\(folder)/messages")
            #expect((list["value"] as? [[String: Any]])?.ids == [id])
        }
    }

    @Test func aFolderThatIsGoneTakesItsMessagesAndItsDeltaWithIt() async throws {
        try await GraphFixture.run { fixture in
            let folder = try fixture.microsoft.createFolder("Gone", in: address)
            let id = try fixture.deliver("a", folder: "Gone")
            let round = try await fixture.messagesRound(folder)
            try fixture.microsoft.deleteFolder("Gone", in: address)
            #expect(try await fixture.get(round.deltaLink).code == "ErrorItemNotFound")
            #expect(try await fixture.get("/me/messages/\(id)").code == "ErrorItemNotFound")
            #expect(throws: EmulatorError.self) { try fixture.microsoft.deleteFolder("inbox", in: address) }
            #expect(throws: EmulatorError.folderExists("inbox")) {
                try fixture.microsoft.createFolder("inbox", in: address)
            }
        }
    }

    @Test func labelsTellFoldersAndCategoriesApart() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            let odd = try fixture.microsoft.createFolder("A/B\\C", in: address, parent: "inbox")
            try fixture.microsoft.move(id, to: odd, in: address)
            try fixture.microsoft.setCategories(id, ["UNREAD", "Blue", "category:x", ""], in: address)
            #expect(
                try fixture.microsoft.labels(ofMessage: id, in: address)
                    == ["Blue", "Inbox/A\\/B\\\\C", "UNREAD", "category:UNREAD", "category:category:x"])
            try fixture.microsoft.move(id, to: "inbox", in: address)
            try fixture.microsoft.move(id, to: "Inbox/A\\/B\\\\C", in: address)
            try fixture.microsoft.createFolder("SENT", in: address)
            try fixture.microsoft.move(id, to: "SENT", in: address)
            #expect(try fixture.microsoft.labels(ofMessage: id, in: address).contains("folder:SENT"))
            #expect(throws: EmulatorError.noFolder("Nowhere")) {
                try fixture.microsoft.move(id, to: "Nowhere", in: address)
            }
        }
    }

    @Test func deletionsForGoodAreOutsideTheTree() async throws {
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            try fixture.microsoft.move(id, to: "recoverableitemsdeletions", in: address)
            let message = try await fixture.object("/me/messages/\(id)")
            let outside = try await fixture.object("/me/mailFolders/recoverableitemsdeletions")
            #expect(message["parentFolderId"] as? String == outside["id"] as? String)
            let tree = try await fixture.round("/me/mailFolders/delta?includeHiddenFolders=true")
            #expect(!tree.entries.ids.contains(outside["id"] as? String ?? ""))
            #expect(try fixture.microsoft.snapshot(address)[id]?.isInTree == false)
            #expect(try fixture.microsoft.messageIDs(of: address).isEmpty)
        }
    }
}
