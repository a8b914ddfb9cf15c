library(shiny)

port <- as.integer(commandArgs(trailingOnly = TRUE)[1])
page <- fluidPage(
  h1("shiny"),
  numericInput("number", "Number", 2),
  textOutput("square")
)
server <- function(input, output, session) {
  output$square <- renderText(paste("square:", input$number^2))
}
runApp(list(ui = page, server = server), port = port, host = "127.0.0.1", launch.browser = FALSE)
