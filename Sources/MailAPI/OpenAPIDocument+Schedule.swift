/// `/mail/schedule`.
extension OpenAPIDocument {
    // swift-format-ignore
    static let schedule = #"""
            "/mail/schedule": {
              "get": {
                "operationId": "schedules",
                "summary": "How often the user's accounts are polled",
                "security": [{"user": []}],
                "responses": {
                  "200": {
                    "description": "All accounts of the user.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Schedules"}}}
                  },
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              },
              "post": {
                "operationId": "setSchedule",
                "summary": "Say how often an account is polled",
                "description": "Replaces what was said before; without interval_s and folders the service decides again. Pushes and POST /mail/sync wake the account all the same.",
                "security": [{"user": []}],
                "requestBody": {
                  "required": true,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/SetSchedule"},
                      "example": {"provider": "google", "inbox_id": "primary", "interval_s": 300}
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "It counts from now on.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Schedule"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {"$ref": "#/components/responses/Unauthorized"},
                  "404": {"$ref": "#/components/responses/NotFound"},
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "429": {"$ref": "#/components/responses/RateLimited"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let scheduleSchemas = #"""
              "SetSchedule": {
                "type": "object",
                "required": ["provider"],
                "properties": {
                  "provider": {"$ref": "#/components/schemas/ProviderName"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "interval_s": {
                    "type": ["integer", "null"],
                    "minimum": 30,
                    "maximum": 86400,
                    "description": "Seconds between two passes that nobody asks for; null: as the service does by itself."
                  },
                  "folders": {
                    "type": ["object", "null"],
                    "additionalProperties": {"type": "integer", "minimum": 30, "maximum": 86400},
                    "description": "Seconds between two looks into single folders, by label; only where mailboxes have folders. 100 at most."
                  }
                }
              },
              "Schedule": {
                "type": "object",
                "required": ["provider", "inbox_id", "interval_s", "folders", "polled_every_s"],
                "properties": {
                  "provider": {"$ref": "#/components/schemas/Provider"},
                  "inbox_id": {"$ref": "#/components/schemas/InboxID"},
                  "interval_s": {"type": ["integer", "null"], "description": "What the user said."},
                  "folders": {"type": "object", "additionalProperties": {"type": "integer"}},
                  "polled_every_s": {
                    "type": ["integer", "null"],
                    "description": "Seconds between two passes as of now; null: only when somebody asks."
                  }
                }
              },
              "Schedules": {
                "type": "object",
                "required": ["accounts"],
                "properties": {"accounts": {"type": "array", "items": {"$ref": "#/components/schemas/Schedule"}}}
              },

        """#
}
