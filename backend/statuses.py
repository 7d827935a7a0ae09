"""What a refusal is over HTTP, for both faces. Refusals themselves know nothing of it."""

from backend.errors import DomainError

CONFLICT = 409
STATUSES = {
    "bad_request": 400,
    "invalid_request": 400,
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "idempotency_mismatch": 422,
    "unsupported_media_type": 415,
    "unsupported_version": 400,
    "write_running": 409,
    "too_many_calls": 429,
    "token_invalid": 401,
    "proof_refused": 401,
    "proof_replayed": 401,
    "use_dpop_nonce": 401,
    "refresh_reused": 401,
    "signed_out": 401,
    "passkey_refused": 403,
    "device_unknown": 403,
    "device_proof_invalid": 403,
    "payer_frozen": 403,
    "payee_frozen": 403,
    "account_frozen": 403,
    "frozen_by_alarm": 403,
    "limit_exceeded": 403,
    "known_payees_only": 403,
    "device_too_new": 403,
    "needs_passkey": 403,
    "not_for_you": 403,
    "blocked": 403,
    "permission_missing": 403,
    "member_forbidden": 403,
    "shop_frozen": 403,
    "bank_word_invalid": 403,
    "packet_not_for_you": 403,
    "sender_frozen": 403,
    "opener_frozen": 403,
    "packet_limit": 403,
    "not_found": 404,
    "no_shop": 404,
    "payee_unknown": 404,
    "file_not_ready": 404,
    "unknown_account": 404,
    "order_expired": 410,
    "order_cancelled": 410,
    "intent_expired": 410,
    "withdrawal_lapsed": 410,
    "ceremony_invalid": 410,
    "code_expired": 410,
    "grant_invalid": 410,
    "invitation_invalid": 410,
    "download_expired": 410,
    "link_invalid": 410,
    "packet_expired": 410,
    "passcode_wrong": 422,
    "passcode_spent": 422,
    "share_too_small": 422,
    "share_too_large": 422,
    "too_many_shares": 422,
    "greeting_refused": 422,
    "code_wrong": 422,
    "code_spent": 422,
    "name_check_failed": 422,
    "micro_code_wrong": 422,
    "card_refused": 422,
    "balance_too_low": 422,
    "withdrawal_too_small": 422,
    "insufficient_balance": 422,
    "insufficient_funds": 422,
    "too_many_codes": 429,
    "too_many_guesses": 429,
    "too_many_requests": 429,
    "too_many_unconfirmed": 429,
    "reminded_lately": 429,
    "too_many_finds": 429,
    "resend_too_soon": 429,
}
RETRY_AFTER_S = 5
MAX_RETRY_AFTER_S = 3600


def status_of(error: DomainError) -> int:
    """The HTTP status of a refusal."""
    return STATUSES.get(error.code, 503 if error.retryable else CONFLICT)


def retry_after(error: DomainError) -> int:
    """Seconds after which trying again makes sense."""
    seconds, minutes = error.params.get("seconds"), error.params.get("minutes")
    if isinstance(seconds, int):
        return min(max(seconds, 1), MAX_RETRY_AFTER_S)
    if isinstance(minutes, int):
        return min(max(minutes, 1) * 60, MAX_RETRY_AFTER_S)
    return RETRY_AFTER_S
