//! Elastic tab stops: columns as wide as their widest cell.
//!
//! Models Go's `text/tabwriter` as kubectl uses it.
//!
//! Known deviations: none.

/// How cells are aligned, and the widths seen so far where they are to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Tabs {
    width_min: usize,
    padding: usize,
    /// Keeps column widths from one flush to the next.
    pub remembered: Option<Vec<usize>>,
}

impl Tabs {
    /// The layout of `describe`.
    pub const fn describe() -> Tabs {
        Tabs { width_min: 0, padding: 2, remembered: None }
    }

    /// The layout of `get`.
    pub const fn get() -> Tabs {
        Tabs { width_min: 6, padding: 3, remembered: Some(Vec::new()) }
    }

    /// Aligns the tab-terminated cells of `text`.
    pub fn align(&mut self, text: &str) -> String {
        let lines: Vec<Vec<&str>> =
            text.split('\n').map(|line| line.split('\t').collect()).collect();
        let mut layout =
            Layout { tabs: self, lines: &lines, widths: Vec::new(), out: String::new() };
        layout.format(0, lines.len());
        layout.out
    }
}

struct Layout<'a> {
    tabs: &'a mut Tabs,
    lines: &'a [Vec<&'a str>],
    widths: Vec<usize>,
    out: String,
}

impl Layout<'_> {
    /// Formats lines with the columns left of the current one settled.
    fn format(&mut self, mut from: usize, to: usize) {
        let column = self.widths.len();
        let mut at = from;
        while at < to {
            if column + 1 >= self.lines[at].len() {
                at += 1;
                continue;
            }
            self.write(from, at);
            from = at;
            let mut width = self.tabs.width_min;
            while at < to && column + 1 < self.lines[at].len() {
                width = width.max(self.lines[at][column].chars().count() + self.tabs.padding);
                at += 1;
            }
            if let Some(remembered) = &mut self.tabs.remembered {
                if remembered.len() <= column {
                    remembered.resize(column + 1, 0);
                }
                width = width.max(remembered[column]);
                remembered[column] = width;
            }
            self.widths.push(width);
            self.format(from, at);
            self.widths.pop();
            from = at;
        }
        self.write(from, to);
    }

    fn write(&mut self, from: usize, to: usize) {
        for at in from..to {
            for (column, cell) in self.lines[at].iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = self.widths.get(column)
                    && column + 1 < self.lines[at].len()
                {
                    let fill = width.saturating_sub(cell.chars().count());
                    self.out.extend(std::iter::repeat_n(' ', fill));
                }
            }
            if at + 1 < self.lines.len() {
                self.out.push('\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut tabs: Tabs, text: &str, aligned: &str) {
        assert_eq!(tabs.align(text), aligned);
    }

    #[test]
    fn columns_end_two_spaces_after_their_widest_cell() {
        check(Tabs::describe(), "Name:\tweb\nNamespace:\tx\n", "Name:       web\nNamespace:  x\n");
    }

    #[test]
    fn a_line_without_the_column_ends_its_block() {
        check(Tabs::describe(), "a:\t1\nIPs:\n  IP:\t2\n", "a:  1\nIPs:\n  IP:  2\n");
    }

    #[test]
    fn the_last_cell_of_a_line_takes_no_part() {
        check(Tabs::get(), "NAME\tAGE\nlong-name\t1s\n", "NAME        AGE\nlong-name   1s\n");
    }

    #[test]
    fn an_empty_last_cell_leaves_the_padding_of_the_one_before() {
        check(Tabs::get(), "A\tB\t\nx\ty\t\n", "A     B     \nx     y     \n");
    }

    #[test]
    fn widths_are_kept_for_later_rows() {
        let mut tabs = Tabs::get();
        tabs.align("NAME\tAGE\nlong-name\t1s\n");
        assert_eq!(tabs.align("b\t2s\n"), "b           2s\n");
    }
}
