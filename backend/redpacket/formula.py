"""How shares come out of a seed, precise enough to compute them elsewhere."""

FORMULA = """\
seed        32 secret bytes, drawn before the packet is sent
commitment  SHA-256("yipay/packet-seed/v1" ‖ 0x0A ‖ seed ‖ id), shown from the beginning;
            the seed itself once the packet has ended

Text is ASCII without a length; id is the packet's, as "red_…". Positions are 0, 1, 2 …
in the order of opening. At a position, with `rest` fen for `n` people still to come,
this one included (all numbers are whole, / is exact, ÷ rounds down):

n = 1:  share = rest, else
lo    = max(1, rest − 20000·(n−1))      the others may hold no more than 200 yuan each
hi    = min(20000, rest − (n−1))        each of the others gets 1 fen at least
if rest − n·lo ≤ n·hi − rest:           the mean rest / n is nearer to the lower end
    from = lo
    to   = (2·rest − n·lo) ÷ n,  and 1 more if draw(0, n) < (2·rest − n·lo) mod n
else:
    to   = hi
    from = (2·rest − n·hi) ÷ n,  and 1 more if draw(0, n) < (2·rest − n·hi) mod n
share = from + draw(1, to − from + 1)   uniform from … to, both included; mean rest / n

draw(d, bound) is a whole number 0 … bound − 1 without bias:
    block(i) = HMAC-SHA256(key: seed, "yipay/packet-share/v1" ‖ 0x0A ‖ id ‖ 0x0A
               ‖ position ‖ d ‖ i), these three as 4 bytes each, big endian
    x        = the first 8 bytes of block(0), big endian; where x is not below
               2^64 − (2^64 mod bound), those of block(1), block(2), …
    draw     = x mod bound

In an equal packet every share is total / count; an exclusive one is one share.
"""
