//! Names of hosts in plain letters: what `xn--` stands before (RFC 3492). Letters of many scripts look alike, and so do
//! two hosts that have nothing to do with each other.

/// A host's name as the network knows it; `None` if it is plain already.
pub(super) fn of(host: &str) -> Option<String> {
    if host.is_ascii() {
        return None;
    }
    let label = |label: &str| match label.is_ascii() {
        true => label.to_owned(),
        false => format!("xn--{}", encoded(&label.to_lowercase())),
    };
    Some(host.split('.').map(label).collect::<Vec<_>>().join("."))
}

fn encoded(label: &str) -> String {
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let plain = out.len() as u32;
    if plain > 0 {
        out.push('-');
    }
    let (mut next, mut delta, mut bias, mut done) = (128, 0_u32, 72, plain);
    let mut others: Vec<u32> = label.chars().filter(|c| !c.is_ascii()).map(u32::from).collect();
    others.sort_unstable();
    others.dedup();
    for other in others {
        delta = delta.saturating_add((other - next).saturating_mul(done + 1));
        for c in label.chars().map(u32::from) {
            if c < other {
                delta = delta.saturating_add(1);
            } else if c == other {
                write_number(&mut out, delta, bias);
                bias = adapted(delta, done + 1, done == plain);
                delta = 0;
                done += 1;
            }
        }
        delta = delta.saturating_add(1);
        next = other + 1;
    }
    out
}

fn write_number(out: &mut String, mut number: u32, bias: u32) {
    let digit =
        |value: u32| char::from(if value < 26 { b'a' + value as u8 } else { b'0' + (value - 26) as u8 });
    for step in (36_u32..).step_by(36) {
        let least = u32::clamp(step.saturating_sub(bias), 1, 26);
        if number < least {
            break;
        }
        out.push(digit(least + (number - least) % (36 - least)));
        number = (number - least) / (36 - least);
    }
    out.push(digit(number));
}

fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = delta / if is_first { 700 } else { 2 };
    delta += delta / count;
    let mut steps = 0;
    while delta > 35 * 26 / 2 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn names_are_as_the_network_knows_them() {
        for (host, plain) in [
            ("bücher.example", "xn--bcher-kva.example"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            ("faß.de", "xn--fa-hia.de"),
            ("gіthub.com", "xn--gthub-n2e.com"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("правда.рф", "xn--80aafi6cg.xn--p1ai"),
        ] {
            assert_eq!(of(host).as_deref(), Some(plain), "{host}");
        }
        assert_eq!(of("github.com"), None);
    }
}
