/// What providers call.
extension OpenAPIDocument {
    // swift-format-ignore
    static let webhooks = #"""
            "/webhooks/google": {
              "post": {
                "operationId": "googlePush",
                "summary": "A push of Google's Pub/Sub: a watched mailbox changed",
                "description": "For Google only. The bearer token is the OpenID Connect token that Pub/Sub signs as the configured service account (GOOGLE_PUBSUB_SERVICE_ACCOUNT) for the configured audience. Wrapped and unwrapped messages are taken. The answer says that the push arrived, not that anything was done.",
                "security": [{"googlePush": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {
                        "oneOf": [
                          {"$ref": "#/components/schemas/PubSubPush"}, {"$ref": "#/components/schemas/GmailAnnouncement"}
                        ]
                      },
                      "example": {
                        "message": {
                          "data": "eyJlbWFpbEFkZHJlc3MiOiJhbm5AZXhhbXBsZS5uZXQiLCJoaXN0b3J5SWQiOjQyfQ==",
                          "messageId": "2070443601311540",
                          "publishTime": "2026-02-26T19:13:55.749Z"
                        },
                        "subscription": "projects/example/subscriptions/mailsync"
                      }
                    }
                  }
                },
                "responses": {
                  "204": {"description": "It arrived; also when nobody has connected the mailbox."},
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let webhookSchemas = #"""
              "PubSubPush": {
                "type": "object",
                "required": ["message"],
                "properties": {
                  "message": {
                    "type": "object",
                    "required": ["data"],
                    "properties": {
                      "data": {"type": "string", "description": "GmailAnnouncement in base64, of either alphabet."},
                      "messageId": {"type": "string"},
                      "publishTime": {"type": "string"}
                    }
                  },
                  "subscription": {"type": "string"}
                },
                "description": "https://docs.cloud.google.com/pubsub/docs/push"
              },
              "GmailAnnouncement": {
                "type": "object",
                "required": ["emailAddress", "historyId"],
                "properties": {
                  "emailAddress": {"type": "string"},
                  "historyId": {"type": ["integer", "string"]}
                },
                "description": "https://developers.google.com/workspace/gmail/api/guides/push"
              },

        """#
}
