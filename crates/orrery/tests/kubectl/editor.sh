# What the tour takes for an editor: changes a colour in the file that it is given.
sed -i 's/colour: green/colour: yellow/' "$1"
