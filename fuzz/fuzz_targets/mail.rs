//! Raw messages: whatever comes breaks nothing; what is handed on has CRLF line ends alone and no NUL, so that nothing in it
//! passes for a command; and who is copied in secret is not told of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mail::{Headers, Message, without_bcc};

fuzz_target!(|input: &[u8]| {
    let Ok(message) = Message::read(input) else {
        return assert!(input.contains(&0), "it is refused without a reason");
    };
    sound(&message);
    assert_eq!(Message::read(message.bytes()).expect("it was read before").bytes(), message.bytes());
    let handed_on = without_bcc(&message);
    sound(&handed_on);
    let Ok(headers) = Headers::read(&message) else { return };
    if headers.bcc.is_empty() {
        return;
    }
    if let Ok(shown) = Headers::read(&handed_on) {
        assert!(shown.bcc.is_empty(), "the recipients see who else is one");
        assert_eq!(
            (shown.from.map(|it| it.address), shown.to),
            (headers.from.map(|it| it.address), headers.to)
        );
    }
});

fn sound(message: &Message) {
    let bytes = message.bytes();
    assert!(!bytes.contains(&0));
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => assert_eq!(bytes.get(at + 1), Some(&b'\n')),
            b'\n' => assert!(at > 0 && bytes[at - 1] == b'\r'),
            _ => {}
        }
    }
}
