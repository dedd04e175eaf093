//! Lists in pages: one row more than a page has is asked for, and so a page knows whether another follows.

/// Rows to ask for.
pub const fn asked(page: i64) -> i64 {
    page + 1
}

/// Cuts what was found to the page. Its last row, from which the next page goes on, where there is one.
pub fn cut<T>(found: &mut Vec<T>, page: i64) -> Option<&T> {
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    found.last().filter(|_| more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_more_follows_and_only_there() {
        for (found, expected) in [(0, None), (1, None), (2, None), (3, Some(1)), (9, Some(1))] {
            let mut rows: Vec<usize> = (0..found).collect();
            assert_eq!(cut(&mut rows, 2).copied(), expected, "{found} rows");
            assert_eq!(rows.len(), found.min(2));
        }
    }
}
