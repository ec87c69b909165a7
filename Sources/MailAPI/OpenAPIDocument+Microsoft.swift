extension OpenAPIDocument {
    /// `POST /webhooks/microsoft`.
    // swift-format-ignore
    static let microsoftWebhook = #"""
            "/webhooks/microsoft": {
              "post": {
                "operationId": "microsoftWebhook",
                "summary": "Takes what Microsoft Graph announces",
                "description": "For Graph only. Subscriptions are told PUBLIC_URL/webhooks/microsoft for notifications and lifecycle notifications alike. An entry counts only with the clientState that its subscription was told.",
                "security": [],
                "parameters": [
                  {
                    "name": "validationToken",
                    "in": "query",
                    "description": "Sent back decoded, as plain text; the body is not looked at.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 2048}
                  }
                ],
                "requestBody": {
                  "required": false,
                  "content": {
                    "application/json": {
                      "schema": {"$ref": "#/components/schemas/MicrosoftNotifications"},
                      "example": {
                        "value": [
                          {
                            "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
                            "clientState": "example",
                            "changeType": "created",
                            "resource": "users/ID/messages/ID"
                          }
                        ]
                      }
                    }
                  }
                },
                "responses": {
                  "200": {
                    "description": "The token.",
                    "content": {"text/plain": {"schema": {"type": "string"}}}
                  },
                  "202": {
                    "description": "Taken: the accounts concerned are woken behind the answer.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
                  },
                  "400": {"$ref": "#/components/responses/Malformed"},
                  "401": {
                    "description": "No entry has the clientState of its subscription.",
                    "headers": {"WWW-Authenticate": {"description": "ClientState.", "schema": {"type": "string"}}},
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                  },
                  "408": {"$ref": "#/components/responses/RequestTimeout"},
                  "413": {"$ref": "#/components/responses/BodyTooLarge"},
                  "415": {"$ref": "#/components/responses/WrongMediaType"},
                  "422": {"$ref": "#/components/responses/InvalidField"},
                  "431": {"$ref": "#/components/responses/HeadersTooLarge"},
                  "500": {"$ref": "#/components/responses/InternalError"},
                  "503": {"$ref": "#/components/responses/Unavailable"}
                }
              }
            },

        """#

    // swift-format-ignore
    static let microsoftWebhookSchemas = #"""
              "MicrosoftNotifications": {
                "type": "object",
                "required": ["value"],
                "properties": {
                  "value": {
                    "type": "array",
                    "items": {
                      "type": "object",
                      "required": ["subscriptionId"],
                      "properties": {
                        "subscriptionId": {"type": "string"},
                        "clientState": {"type": "string"},
                        "lifecycleEvent": {
                          "type": "string",
                          "enum": ["missed", "subscriptionRemoved", "reauthorizationRequired"]
                        }
                      },
                      "description": "Everything else in it is ignored."
                    }
                  }
                }
              },

        """#
}
