//! A JSON text as the parameter of a statement.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{Encode, Postgres, Type};

use super::binary::JSONB_VERSION;

/// A text that is JSON, as `jsonb`.
pub(super) struct Jsonb(pub(super) String);

impl Type<Postgres> for Jsonb {
    fn type_info() -> PgTypeInfo {
        <Json<()> as Type<Postgres>>::type_info()
    }
}

impl PgHasArrayType for Jsonb {
    fn array_type_info() -> PgTypeInfo {
        <Json<()> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Jsonb {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        out.push(JSONB_VERSION);
        out.extend(self.0.as_bytes());
        Ok(IsNull::No)
    }
}
