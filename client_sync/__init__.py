"""The field client of Seere: encrypted stores, the wire protocol, and the synchronisation that survives bad links.

A program of another make embeds it so; ids are UUIDs as text, sizes are bytes, waits seconds, times aware and UTC:

    folder, pin = Folder(Path("~/.carnet").expanduser()), "<SHA-256 of the hub's public key>"
    transport = HttpTransport("https://hub.example", pin)
    print(enrol(folder, "https://hub.example", one_time_code, transport, pin=pin).words)

    outbox = Outbox.open(folder)
    receipt = new_receipt(secrets.choice)
    answers = Answers(kinds=("COR-RACKET",), narrative="…", consent=Consent(level="C1"))
    outbox.finalise("complaint", build_complaint(answers, now=utc_now(), receipt=receipt), receipt=receipt)
    report = SyncClient(outbox, transport, rng=Random(), version="1.0").sync()
    print(report.stored, "at the centre;", outbox.counts().here, "still here; link cut:", report.cut)

`stores.Folder`, `transport.HttpTransport`, `enrolment.enrol`, `outbox.Outbox`, `complaint.build_complaint` and
`client.SyncClient` are the whole of it. What is finalised is sealed to the readers that the centre's keyring names, and
from then on nothing on the device opens it; a revision without facts needs the `scope` of its complaint, from
`Outbox.scope` and the open vault, or only named readers will open it. Every error is a `errors.ClientError` with a
stable `code`. What a link does is never raised by `sync`: the report says how far it came. One thread uses an
`Outbox`; several processes may.
"""
