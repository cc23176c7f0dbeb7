//! Content ciphers of encrypted messages: SM4 (GB/T 32907) and AES in CBC, and their two paddings.
//!
//! A content key and an opened text are wiped when dropped. CBC does not prove that a text is unchanged; the envelope's
//! signature does.

use crate::{Error, Result};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit};
use zeroize::Zeroizing;

const BLOCK: usize = 16;

/// A cipher that encrypts the content of a message, in CBC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentCipher {
    /// SM4, 128-bit key.
    Sm4Cbc,
    /// AES-128.
    Aes128Cbc,
    /// AES-192.
    Aes192Cbc,
    /// AES-256.
    Aes256Cbc,
}

/// How the last block is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Each padding byte is their number.
    Pkcs7,
    /// Only the last byte counts, the others are random (XML Encryption; `domain/goods-declaration.md` §4.3).
    Iso10126,
}

impl ContentCipher {
    /// Length of its key in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Sm4Cbc | Self::Aes128Cbc => 16,
            Self::Aes192Cbc => 24,
            Self::Aes256Cbc => 32,
        }
    }

    /// A fresh random key.
    ///
    /// # Errors
    /// `Random`.
    pub fn generate_key(self) -> Result<Zeroizing<Vec<u8>>> {
        let mut key = Zeroizing::new(vec![0; self.key_length()]);
        getrandom::fill(&mut key).map_err(|_| Error::Random)?;
        Ok(key)
    }

    /// Encrypts under a fresh vector and puts the vector first, as XML Encryption does.
    ///
    /// # Errors
    /// `Length` of the key; `Random`.
    pub fn encrypt(self, key: &[u8], text: &[u8], padding: Padding) -> Result<Vec<u8>> {
        let mut iv = [0; BLOCK];
        getrandom::fill(&mut iv).map_err(|_| Error::Random)?;
        let mut out = iv.to_vec();
        out.extend_from_slice(&self.encrypt_with(key, &iv, text, padding)?);
        Ok(out)
    }

    /// Decrypts what begins with its vector.
    ///
    /// # Errors
    /// `Length` of key or text; `Padding` if the key is another one or the padding rule is.
    pub fn decrypt(self, key: &[u8], data: &[u8], padding: Padding) -> Result<Zeroizing<Vec<u8>>> {
        let short = Error::Length { what: "encrypted text", got: data.len(), want: 2 * BLOCK };
        let (iv, data) = data.split_first_chunk::<BLOCK>().ok_or(short)?;
        self.decrypt_with(key, iv, data, padding)
    }

    /// Encrypts under a given vector.
    ///
    /// # Errors
    /// `Length` of the key; `Random` (ISO 10126 fills with random bytes).
    pub fn encrypt_with(self, key: &[u8], iv: &[u8; BLOCK], text: &[u8], padding: Padding) -> Result<Vec<u8>> {
        let mut buffer = padded(text, padding)?;
        let length = buffer.len();
        match self {
            Self::Sm4Cbc => encrypt_blocks::<cbc::Encryptor<sm4::Sm4>>(key, iv, &mut buffer, length, self),
            Self::Aes128Cbc => encrypt_blocks::<cbc::Encryptor<aes::Aes128>>(key, iv, &mut buffer, length, self),
            Self::Aes192Cbc => encrypt_blocks::<cbc::Encryptor<aes::Aes192>>(key, iv, &mut buffer, length, self),
            Self::Aes256Cbc => encrypt_blocks::<cbc::Encryptor<aes::Aes256>>(key, iv, &mut buffer, length, self),
        }?;
        Ok(std::mem::take(&mut *buffer))
    }

    /// Decrypts under a given vector.
    ///
    /// # Errors
    /// `Length` of key or text; `Padding`.
    pub fn decrypt_with(
        self,
        key: &[u8],
        iv: &[u8; BLOCK],
        data: &[u8],
        padding: Padding,
    ) -> Result<Zeroizing<Vec<u8>>> {
        if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
            let want = data.len().next_multiple_of(BLOCK).max(BLOCK);
            return Err(Error::Length { what: "encrypted text", got: data.len(), want });
        }
        let mut buffer = Zeroizing::new(data.to_vec());
        match self {
            Self::Sm4Cbc => decrypt_blocks::<cbc::Decryptor<sm4::Sm4>>(key, iv, &mut buffer, self),
            Self::Aes128Cbc => decrypt_blocks::<cbc::Decryptor<aes::Aes128>>(key, iv, &mut buffer, self),
            Self::Aes192Cbc => decrypt_blocks::<cbc::Decryptor<aes::Aes192>>(key, iv, &mut buffer, self),
            Self::Aes256Cbc => decrypt_blocks::<cbc::Decryptor<aes::Aes256>>(key, iv, &mut buffer, self),
        }?;
        let text = padding.text_length(&buffer).ok_or(Error::Padding)?;
        buffer.truncate(text);
        Ok(buffer)
    }

    fn wrong_key(self, key: &[u8]) -> Error {
        Error::Length { what: "content key", got: key.len(), want: self.key_length() }
    }
}

impl Padding {
    /// How many bytes are text; `None` if the padding does not read.
    fn text_length(self, padded: &[u8]) -> Option<usize> {
        let count = usize::from(*padded.last()?);
        let text = padded.len().checked_sub(count)?;
        let filled = padded.get(text..)?;
        let plausible = (1..=BLOCK).contains(&count);
        let regular = self == Self::Iso10126 || filled.iter().all(|&byte| usize::from(byte) == count);
        (plausible && regular).then_some(text)
    }
}

fn padded(text: &[u8], padding: Padding) -> Result<Zeroizing<Vec<u8>>> {
    let count = BLOCK - text.len() % BLOCK;
    let mut buffer = Zeroizing::new(Vec::with_capacity(text.len() + count));
    buffer.extend_from_slice(text);
    // At most 16, so it fits.
    let mark = u8::try_from(count).unwrap_or(0);
    buffer.resize(text.len() + count, mark);
    if padding == Padding::Iso10126 {
        let end = buffer.len() - 1;
        let fill = buffer.get_mut(text.len()..end).unwrap_or_default();
        getrandom::fill(fill).map_err(|_| Error::Random)?;
    }
    Ok(buffer)
}

fn encrypt_blocks<C: KeyIvInit + BlockModeEncrypt>(
    key: &[u8],
    iv: &[u8; BLOCK],
    buffer: &mut [u8],
    length: usize,
    cipher: ContentCipher,
) -> Result<()> {
    let mode = C::new_from_slices(key, iv).map_err(|_| cipher.wrong_key(key))?;
    mode.encrypt_padded::<NoPadding>(buffer, length).map_err(|_| Error::Padding)?;
    Ok(())
}

fn decrypt_blocks<C: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8; BLOCK],
    buffer: &mut [u8],
    cipher: ContentCipher,
) -> Result<()> {
    let mode = C::new_from_slices(key, iv).map_err(|_| cipher.wrong_key(key))?;
    mode.decrypt_padded::<NoPadding>(buffer).map_err(|_| Error::Padding)?;
    Ok(())
}

/// One block of SM4, for devices that offer nothing else.
pub fn sm4_encrypt_block(key: &[u8; 16], block: &mut [u8; 16]) {
    sm4::Sm4::new(key.into()).encrypt_block(block.into());
}

/// One block of SM4, back.
pub fn sm4_decrypt_block(key: &[u8; 16], block: &mut [u8; 16]) {
    sm4::Sm4::new(key.into()).decrypt_block(block.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [ContentCipher; 4] =
        [ContentCipher::Sm4Cbc, ContentCipher::Aes128Cbc, ContentCipher::Aes192Cbc, ContentCipher::Aes256Cbc];

    /// GB/T 32907 annex A: key and text are the same.
    const BLOCK_VECTOR: [u8; 16] = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128.to_be_bytes();

    #[test]
    fn sm4_gives_the_standards_block() {
        let mut block = BLOCK_VECTOR;
        sm4_encrypt_block(&BLOCK_VECTOR, &mut block);
        assert_eq!(hex::encode(block), "681edf34d206965e86b3e94f536e4246");
        sm4_decrypt_block(&BLOCK_VECTOR, &mut block);
        assert_eq!(block, BLOCK_VECTOR);
    }

    /// GB/T 32907 annex A.2, with the key expanded once.
    #[test]
    fn sm4_gives_the_standards_block_after_a_million_rounds() {
        let cipher = sm4::Sm4::new((&BLOCK_VECTOR).into());
        let mut block = BLOCK_VECTOR;
        for _ in 0..1_000_000 {
            cipher.encrypt_block((&mut block).into());
        }
        assert_eq!(hex::encode(block), "595298c7c6fd271f0402f804c33d3f66");
    }

    proptest! {
        #[test]
        fn what_was_encrypted_is_read_back(text in proptest::collection::vec(any::<u8>(), 0..100)) {
            for cipher in ALL {
                let key = cipher.generate_key().unwrap();
                for padding in [Padding::Pkcs7, Padding::Iso10126] {
                    let data = cipher.encrypt(&key, &text, padding).unwrap();
                    prop_assert_eq!(&**cipher.decrypt(&key, &data, padding).unwrap(), &text);
                }
                // What is filled regularly is also filled in the looser way.
                let data = cipher.encrypt(&key, &text, Padding::Pkcs7).unwrap();
                prop_assert_eq!(&**cipher.decrypt(&key, &data, Padding::Iso10126).unwrap(), &text);
            }
        }

        #[test]
        fn hostile_data_is_an_error_and_no_panic(data in proptest::collection::vec(any::<u8>(), 0..80), key in 0..40_usize) {
            for cipher in ALL {
                for padding in [Padding::Pkcs7, Padding::Iso10126] {
                    let opened = cipher.decrypt(&vec![7; key], &data, padding);
                    if key != cipher.key_length() || data.len() < 32 || data.len() % 16 != 0 {
                        prop_assert!(opened.is_err());
                    }
                }
            }
        }
    }

    #[test]
    fn padding_that_does_not_read_is_refused() {
        let filled = |last: &[u8]| [&[9_u8; 16][..16 - last.len()], last].concat();
        assert_eq!(Padding::Pkcs7.text_length(&filled(&[3, 3, 3])), Some(13));
        assert_eq!(Padding::Pkcs7.text_length(&filled(&[1, 2, 3])), None);
        assert_eq!(Padding::Iso10126.text_length(&filled(&[1, 2, 3])), Some(13));
        for wrong in [0, 17, 255] {
            assert_eq!(Padding::Iso10126.text_length(&filled(&[wrong])), None);
        }
        assert_eq!(Padding::Pkcs7.text_length(&[16; 16]), Some(0));
    }
}
