extension OpenAPIDocument {
    /// `GET /mail/events`.
    // swift-format-ignore
    static let events = #"""
            "/mail/events": {
              "get": {
                "operationId": "events",
                "summary": "The user's own events, in order, as they are published",
                "security": [{"user": []}],
                "parameters": [
                  {
                    "name": "after",
                    "in": "query",
                    "description": "Events with a higher seq than this: X-Next-After of the last answer.",
                    "schema": {"type": "integer", "minimum": 0, "default": 0}
                  },
                  {
                    "name": "limit",
                    "in": "query",
                    "description": "Events in one answer at most; an answer is also limited to 4 MiB.",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
                  },
                  {
                    "name": "wait",
                    "in": "query",
                    "description": "Seconds to wait for an event when there is none.",
                    "schema": {"type": "integer", "minimum": 0, "maximum": 60, "default": 0}
                  },
                  {
                    "name": "inbox_id",
                    "in": "query",
                    "description": "Only this inbox.",
                    "schema": {"$ref": "#/components/schemas/InboxID"}
                  },
                  {
                    "name": "provider",
                    "in": "query",
                    "description": "Only this provider.",
                    "schema": {"$ref": "#/components/schemas/ProviderName"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "One event a line. An answer without lines says that there are none now, unless X-Next-After went on.",
                    "headers": {
                      "X-Next-After": {
                        "description": "The 'after' of the next request.",
                        "required": true,
                        "schema": {"type": "integer"}
                      }
                    },
                    "content": {
                      "application/x-ndjson": {
                        "schema": {"type": "string", "description": "Each line is an event as Docs/schemas describe it."}
                      }
                    }
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#
}
