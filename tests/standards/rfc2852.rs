//! RFC 2852, delivery within a time.

use crate::offering::goes_only_where_offered;

/// 2852-4-f, 2852-4-g: RFC 2852 section 4.1: in neither mode is the parameter dropped in silence.
#[test]
fn by_is_sent_only_where_it_is_offered() {
    goes_only_where_offered("DELIVERBY", "BY=120;R", "");
    goes_only_where_offered("DELIVERBY 60", "BY=120;R", "");
    goes_only_where_offered("DELIVERBY", "BY=-10;NT", "");
}
