//! Protobuf by hand, to write what a well-behaved encoder would not.

/// One field with its key, as it stands in an encoding.
pub(crate) type Piece = Vec<u8>;

/// A field with a length: text, bytes or a message.
pub(crate) fn field(number: u64, content: &[u8]) -> Piece {
    let mut piece = varint(number << 3 | 2);
    piece.extend(varint(content.len() as u64));
    piece.extend(content);
    piece
}

/// A field with a number.
pub(crate) fn number(number: u64, value: u64) -> Piece {
    [varint(number << 3), varint(value)].concat()
}

/// The fields of an encoding, in order.
pub(crate) fn split(mut bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let start = bytes;
        match read_varint(&mut bytes) & 7 {
            0 => drop(read_varint(&mut bytes)),
            2 => {
                let length = read_varint(&mut bytes) as usize;
                bytes = &bytes[length..];
            }
            other => panic!("wire type {other}"),
        }
        pieces.push(start[..start.len() - bytes.len()].to_vec());
    }
    pieces
}

/// The number of a field.
pub(crate) fn number_of(mut piece: &[u8]) -> u64 {
    read_varint(&mut piece) >> 3
}

/// An encoding with this piece where the fields of a number are, or would be.
pub(crate) fn replaced(fields: &[Piece], number: u64, piece: Piece) -> Vec<u8> {
    let below = fields.iter().filter(|field| number_of(field) < number);
    let above = fields.iter().filter(|field| number_of(field) > number);
    below.chain([&piece]).chain(above).flatten().copied().collect()
}

/// What stands in a field with a length.
pub(crate) fn content(mut piece: &[u8]) -> Vec<u8> {
    read_varint(&mut piece);
    let length = read_varint(&mut piece) as usize;
    piece[..length].to_vec()
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn read_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}
